"""The log of a run → an alarm for reward hacking, or none. Begin with `pipeline`; `result` is what is said of it."""
