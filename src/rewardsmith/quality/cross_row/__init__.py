"""Records → what they say about each other: duplicates, contradictions, cycles, contamination. Begin with `near`."""
