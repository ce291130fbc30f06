"""Attention over prefix trees packed into one row. Begin with `layout`, then `tree`."""
