"""Whether the training itself went well: settings, number of steps, curves."""
