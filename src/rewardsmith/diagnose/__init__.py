"""What a result means: the verdict."""
