"""A run, a model with data, or bare figures → measurements of causes → verdict → report. Begin with `pipeline`."""
