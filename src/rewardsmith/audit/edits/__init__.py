"""Counterfactual edits: a response goes in, the same response with one surface trait changed comes out.

One file per family. Begin with `table` (all of them by name) and `edit` (what an edit promises).
"""
