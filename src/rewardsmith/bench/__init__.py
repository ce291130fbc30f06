"""How fast this machine trains and scores. Begin with `timing`."""
