"""A text → damage of its encoding, leaked markup, its language. Begin with `characters`."""
