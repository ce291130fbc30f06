"""A record → the token ids that are scored, under the scoring contract.

Begin with `contract`, then `tokens` and `trees`.
"""
