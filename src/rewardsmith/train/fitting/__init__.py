"""Heads that are fitted to cached features instead of being trained step by step. Begin with `linear`."""
