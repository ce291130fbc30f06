"""A language model and preference pairs → a better language model, with a report of what changed. Begin in `pipeline`."""
