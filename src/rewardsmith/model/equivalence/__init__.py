"""Checks, made when a model is opened, that our way through it gives what it gives itself. Begin with `path_check`."""
