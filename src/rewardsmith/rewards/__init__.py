"""Whatever gives rewards, under one name: a reward model, the checks of a rewards file, or the judge of a judge file.

In: what stands in the place of MODEL, and records. Out: one reward per response, NaN where there is none, and what else is
known of it. Begin with `opening` (`open_rewards`); `source` holds what all of them have in common.
"""
