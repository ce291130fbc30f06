"""How one or several processes compute a gradient and update weights. Begin with `engine`, then `select`."""
