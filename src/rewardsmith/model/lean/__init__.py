"""Modules of transformers with less memory for activations, equal up to rounding. Begin with `swap`."""
