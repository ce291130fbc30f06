"""Prompts of a source → rows with candidates, for `score`, `evaluate` and whatever picks among responses."""
