"""The built-in data: prompts and responses with a known gold reward, and faults planted on request. Begin with `generate`."""
