"""Token trees → rewards: the network, its batches, what its head reads. Begin with `network`."""
