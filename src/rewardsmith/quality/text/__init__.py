"""A text → what is wrong with it: damage of its encoding, leaked markup, its language. Begin with `characters`."""
