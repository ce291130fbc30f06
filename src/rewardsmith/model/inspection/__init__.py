"""Checks of a model's folder before it is used: config, code, weights and tokens. Begin with `config`."""
