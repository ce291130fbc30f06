"""Numbers about rewards: numpy arrays in, numbers out; knows nothing of records or torch."""
