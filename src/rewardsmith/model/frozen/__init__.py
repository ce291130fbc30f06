"""Caches on disk of what frozen layers compute. Begin with `feature_cache`."""
