"""Records → findings from comparing rows: duplicates, contradictions, cycles, contamination. Begin with `near`."""
