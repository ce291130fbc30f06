"""Records and a model → a run folder with checkpoints, a model, and an evaluation.

Begin with `config` (the settings), then `setup` (data and model) and `run_folder` (what is written down).
"""
