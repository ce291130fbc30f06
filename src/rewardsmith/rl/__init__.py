"""Rewards inside the trainers of reinforcement learning, in-process or from a server, through the scoring contract.

In: what stands in the place of MODEL (a model, a rewards file, an opened RewardModel) or the address of a server, and the
texts as a trainer hands them over. Out: the rewards in the shape that it takes, a finite number for each text, or an error.
A reward that cannot be had is never replaced by another number. Begin with `rewards` (where they come from), then
`shaping`; there is one module for each trainer.
"""

from rewardsmith.rl.ms_swift import ms_swift_reward
from rewardsmith.rl.nemo_rl import EnvironmentReturn, RewardEnvironment
from rewardsmith.rl.openrlhf import openrlhf_reward_func
from rewardsmith.rl.shaping import Shaping
from rewardsmith.rl.trl import trl_reward, trl_rewards
from rewardsmith.rl.verl import verl_compute_score, verl_compute_score_async, verl_compute_scores

__all__ = [
    "EnvironmentReturn",
    "RewardEnvironment",
    "Shaping",
    "ms_swift_reward",
    "openrlhf_reward_func",
    "trl_reward",
    "trl_rewards",
    "verl_compute_score",
    "verl_compute_score_async",
    "verl_compute_scores",
]
