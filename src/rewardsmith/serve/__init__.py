"""A reward model as a server: requests in, rewards out. `protocols` holds the wire formats of other programs."""
