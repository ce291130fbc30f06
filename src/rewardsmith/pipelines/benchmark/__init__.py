"""`evaluate --benchmark NAME`: items of a benchmark → rewards, kept by content → its own score, with intervals.

Begin with `pipeline.evaluate_benchmark`. What there is to evaluate on: `catalogue.BENCHMARKS`.
"""
