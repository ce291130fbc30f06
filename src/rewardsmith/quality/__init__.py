"""Records → findings, values and repairs.

Begin with `row.checks`, then `cross_row` and `shortcuts`.
"""
