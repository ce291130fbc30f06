"""A model and data → a bias audit: begin with `pipeline`, which reads top to bottom."""
