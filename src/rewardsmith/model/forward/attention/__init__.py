"""Attention over prefix trees that lie behind each other in one row. Begin with `layout`, then `tree`."""
