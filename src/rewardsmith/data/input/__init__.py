"""Files, folders, data frames and hub names → raw rows, each with its place; a damaged row costs itself alone.

Begin with `readers` (which reader for which file), then `rows` (what a row may be).
"""
