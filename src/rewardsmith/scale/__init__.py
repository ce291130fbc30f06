"""Work on many rows at once: over the cores of this machine, and over a cluster with Ray."""
