"""What is computed once of frozen layers and kept on disk. Begin with `feature_cache`."""
