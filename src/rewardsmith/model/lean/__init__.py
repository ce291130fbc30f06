"""Modules of transformers that keep less memory, the same to rounding. Begin with `swap`."""
