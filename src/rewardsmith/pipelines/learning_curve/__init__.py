"""A finished run and shares of its data → runs on them, and accuracy over the number of records. Begin with `pipeline`."""
