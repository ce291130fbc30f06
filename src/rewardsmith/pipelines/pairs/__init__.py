"""Scored candidates → preference data: `choosing` picks the pairs of one prompt, `pipeline` goes through the rows."""
