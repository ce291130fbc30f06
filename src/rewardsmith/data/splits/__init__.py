"""Records → train, validation and test, without leaks between them. Begin with `splitter`, then `sources`."""
