"""How fast a machine trains and scores: workloads, interleaved timing, memory, and the figures of document 001."""
