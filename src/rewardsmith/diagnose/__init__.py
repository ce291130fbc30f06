"""Numbers of a run → findings, a verdict and one next step. Begin with `facts`, then `checks` and `verdict`."""
