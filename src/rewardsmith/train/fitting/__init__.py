"""Heads that are fitted to known features instead of being stepped. Begin with `linear`."""
