"""Token trees to rewards: backbones, attention, heads, checkpoints."""
