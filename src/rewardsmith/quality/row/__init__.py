"""A record → findings and values about it alone, and its repair. Begin with `checks`."""
