"""Checks, made when a model is opened, that our way through it gives what the model itself gives. Begin with `path_check`."""
