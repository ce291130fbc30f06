"""The losses of a step, per token and without reduction; the caller masks and averages."""

import torch
from jaxtyping import Float
from torch import Tensor


def clipped_surrogate(
    logps: Float[Tensor, "*B"], old: Float[Tensor, "*B"], advantages: Float[Tensor, "*B"], *, clip: float
) -> Float[Tensor, "*B"]:
    """-min(w A, clip(w, 1 - clip, 1 + clip) A) with w = exp(logp - old) (PPO, Schulman et al., arXiv 1707.06347, eq. 7)."""
    weight = torch.exp(logps - old)
    return -torch.min(weight * advantages, weight.clamp(1 - clip, 1 + clip) * advantages)


def clipped_value_loss(
    values: Float[Tensor, "*B"], old: Float[Tensor, "*B"], returns: Float[Tensor, "*B"], *, clip: float
) -> Float[Tensor, "*B"]:
    """max((v - R)^2, (v' - R)^2) / 2, v' within `clip` of the value of the rollout (ppo2 of OpenAI Baselines)."""
    near = old + (values - old).clamp(-clip, clip)
    return torch.max((values - returns) ** 2, (near - returns) ** 2) / 2


def k3(logps: Float[Tensor, "*B"], reference: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """exp(q - p) - (q - p) - 1 >= 0, an unbiased estimate of KL(pi, pi_ref) under samples of pi (Schulman 2020,
    "Approximating KL divergence"; GRPO, arXiv 2402.03300, equation 4)."""
    difference = reference - logps
    return torch.exp(difference) - difference - 1


def response_mean(values: Float[Tensor, "B T"], mask: Float[Tensor, "B T"]) -> Tensor:
    """The mean over responses of the mean over their tokens, as GRPO averages (arXiv 2402.03300, equation 3)."""
    return ((values * mask).sum(dim=1) / mask.sum(dim=1)).mean()


def token_mean(values: Float[Tensor, "B T"], mask: Float[Tensor, "B T"]) -> Tensor:
    """The mean over all tokens, as PPO averages."""
    return (values * mask).sum() / mask.sum()
