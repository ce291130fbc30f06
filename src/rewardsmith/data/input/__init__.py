"""Files, folders, data frames and hub names → raw rows, each with its place; damage affects only the damaged row.

Begin with `readers` (which reader for which file), then `rows` (what a row may be).
"""
