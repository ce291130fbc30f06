"""What the labels of the training data are like beside their texts: what was measured (`told`), and the checks on it."""
