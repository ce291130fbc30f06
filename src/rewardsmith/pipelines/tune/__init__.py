"""A search over settings of `train`: many ordinary runs in, the best settings out, and how far to trust them.

Begin with `pipeline` (the steps), then `space` (what is tried), `study` (Optuna), `crew` and `worker` (the processes that
train), `search` (what runs when), `outcome` (chance, and the test split). `rates` is the learning-rate range test.
"""
