"""A running endpoint against the checkpoint that it should serve: probes asked over HTTP, and the likely cause where rewards
differ. Begin with `pipeline`."""
