"""One module per command: a frozen Config and run(config) -> Result; prints nothing."""
