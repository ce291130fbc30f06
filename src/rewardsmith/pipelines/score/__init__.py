"""Rows → the same rows with their rewards, in parts that survive an interruption."""
