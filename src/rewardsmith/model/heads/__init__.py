"""What stands beside the reward head while training: further outputs of the pooled features. Begin in `extra`."""
