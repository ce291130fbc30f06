"""The sections of the page that are made of what was measured beside the run: one kind of measurement a file."""
