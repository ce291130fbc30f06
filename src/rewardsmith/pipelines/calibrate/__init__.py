"""A reward model and held-out data → calibrated rewards and probabilities, stored beside the weights.

Begin with `pipeline`; `pairs` makes arrays of records, `judged` is what `evaluate` adds, `words` what a person reads.
"""
