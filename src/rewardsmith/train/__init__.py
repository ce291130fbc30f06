"""Examples → a trained network, checkpoints and metrics.

Begin with `loop`, then `step` and `engines`.
"""
