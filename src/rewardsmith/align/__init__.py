"""Language models trained on preferences: a model and comparisons in, a better aligned model out. Begin in `dpo`."""
