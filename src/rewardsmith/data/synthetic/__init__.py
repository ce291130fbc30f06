"""The built-in data: prompts and responses with a known gold reward, faults on request. Begin with `generate`."""
