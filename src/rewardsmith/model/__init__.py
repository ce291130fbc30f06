"""A model folder → a reward model that scores token trees.

Begin with `reward_model`, then `forward.network` and `scorer`.
"""
