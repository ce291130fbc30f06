"""Facts of a run → findings, one family of findings a file. Begin with `learning`."""
