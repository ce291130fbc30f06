"""A model folder → its card, and its place on the hub. Begin with `card`."""
