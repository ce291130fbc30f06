"""From rewards to advantages: generalised advantage estimation, groups of responses, leave-one-out. Pure functions."""

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-4
"""Added to a group's standard deviation (as TRL's GRPOTrainer does)."""


def group_advantages(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """(r - mean) / std of the G responses to a prompt, std with G - 1: GRPO (Shao et al., arXiv 2402.03300, 4.1.2)."""
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, keepdim=True) + EPSILON)


def leave_one_out(rewards: Float[Tensor, "P G"]) -> Float[Tensor, "P G"]:
    """r_i less the mean of the other G - 1 responses: RLOO (Ahmadian et al., arXiv 2402.14740, equation 8)."""
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return rewards - others


def generalised_advantages(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    mask: Float[Tensor, "B T"],
    *,
    discount: float = 1.0,
    trace: float = 0.95,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """(advantages, returns): A_t = delta_t + discount trace A_(t+1), delta_t = r_t + discount V_(t+1) - V_t (Schulman et
    al., arXiv 1506.02438, equations 11 and 16); the return is A_t + V_t. The value behind the last position is 0.
    """
    found = torch.zeros_like(rewards)
    after, next_value = torch.zeros(len(rewards)), torch.zeros(len(rewards))
    for t in range(rewards.shape[1] - 1, -1, -1):
        delta = rewards[:, t] + discount * next_value - values[:, t]
        after = (delta + discount * trace * after) * mask[:, t]
        found[:, t] = after
        next_value = values[:, t] * mask[:, t]
    return found, (found + values) * mask


def whitened(values: Float[Tensor, "B T"], mask: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Mean 0 and standard deviation 1 over what counts."""
    count = mask.sum()
    centred = (values - (values * mask).sum() / count) * mask
    return centred / ((centred**2).sum() / count).sqrt().clamp(min=1e-8)


def token_rewards(
    rewards: Float[Tensor, " B"], divergence: Float[Tensor, "B T"], mask: Float[Tensor, "B T"], *, kl: float
) -> Float[Tensor, "B T"]:
    """-kl (log pi - log pi_ref) at each token and the reward at the last one (Ziegler et al., arXiv 1909.08593, equation 2);
    `divergence` is the difference of the log probabilities."""
    last = mask.sum(dim=1).long() - 1
    found = -kl * divergence * mask
    found[torch.arange(len(rewards)), last] += rewards
    return found
