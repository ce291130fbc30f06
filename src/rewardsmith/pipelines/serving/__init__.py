"""The settings of `serve` → a server that runs until a signal. Begin with `pipeline`."""
