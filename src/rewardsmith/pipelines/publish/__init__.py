"""A model folder → its model card, and its upload to the Hub. Begin with `card`."""
