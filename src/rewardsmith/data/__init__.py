"""Raw rows to records: formats, sources, splits, the built-in data."""
