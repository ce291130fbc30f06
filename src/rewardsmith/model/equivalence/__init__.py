"""Checks, made when a model is opened, that our forward pass equals the model's own. Begin with `path_check`."""
