"""Prompts and a language model → better ones, judged by itself or by any reward: generate, score, pair, train, measure.

Begin in `pipeline` (the loop), then `iteration` (its phases), `variants` (how pairs are made), `measuring` and `ledger`.
"""
