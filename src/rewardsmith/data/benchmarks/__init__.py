"""Files of published benchmarks → items: a record, what its responses are worth to the benchmark, and where it belongs.

In: files, folders, or data sets on the hub, in the benchmark's own format. Out: `item.BenchmarkItem`s, and the rows that
could not be read (`reading.read_items`). One module per benchmark or family: a function from a raw row and the name of its
file to an item, which may refuse with a RowError. The functions are listed in `reading.READERS`.
"""
