"""Pages about language models that are trained on preferences: a DPO run, a self-rewarding loop. Begin in `writing`."""
