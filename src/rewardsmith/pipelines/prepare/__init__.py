"""Raw rows → splits, quarantine, and a report on the quality of the data.

Begin with `row_checks` (what is decided about a row by itself) and `chunk_worker` (rows looked at in processes), then
`cross_row` (what rows say about each other) and `row_router` (where each row goes).
"""
