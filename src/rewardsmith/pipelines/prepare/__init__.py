"""Raw rows → splits, quarantine, and a report on the quality of the data.

Begin with `pipeline` (the steps in order), then `row_checks` (what is decided about a row by itself), `chunk_worker` (rows
checked in processes), `cross_row` (what rows say about each other), `row_router` (where each row goes), `label_noise` and
`label_changes` (which labels are wrong, and what becomes of them).
"""
