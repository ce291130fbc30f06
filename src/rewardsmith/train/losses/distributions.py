"""Losses of rewards that are distributions: normal ones, quantiles, and the code of an information bottleneck."""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Annotations, Loss, difference_of

NODES = 32
"""Of the Gauss-Hermite rule for a mean over a normal distribution."""


@cache
def hermite() -> tuple[list[float], list[float]]:
    """Nodes and log weights of the rule for a standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes.tolist(), np.log(weights / math.sqrt(2 * math.pi)).tolist()


def over_normal(
    mean: Float[Tensor, " C"], std: Float[Tensor, " C"]
) -> tuple[Float[Tensor, "C N"], Float[Tensor, " N"]]:
    """Points of normal distributions, and the logarithm of what each point counts."""
    nodes, logs = (mean.new_tensor(values) for values in hermite())
    return mean[:, None] + std[:, None] * nodes, logs


def deviation_of(std: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, " C"]:
    """The standard deviation of the difference of two independent rewards."""
    square = std[labels.preferred].square() + std[labels.other].square()
    return square.clamp(min=torch.finfo(std.dtype).tiny).sqrt()


def shared(preference: Float[Tensor, " C"], forward: Tensor, backward: Tensor) -> Tensor:
    """The cross-entropy of the judges' share with log probabilities of both outcomes."""
    return -(preference * forward + (1 - preference) * backward)


def gaussian(outputs: Float[Tensor, "R 2"], labels: Annotations) -> Float[Tensor, " C"]:
    """Cross-entropy of the judges' share with E[sigma(z)], z normal with mean m_i - m_j and variance s_i^2 + s_j^2.

    PURM (Sun et al. 2025, arXiv 2503.22480): the probability of Bradley-Terry, averaged over the distributions of both
    rewards. The columns are mean and standard deviation. The mean is taken with a Gauss-Hermite rule, so nothing is
    drawn; at deviations of 0 the loss is Bradley-Terry.
    """
    mean, std = outputs.unbind(dim=1)
    points, logs = over_normal(difference_of(mean, labels), deviation_of(std, labels))
    won = torch.logsumexp(F.logsigmoid(points) + logs, dim=1)
    lost = torch.logsumexp(F.logsigmoid(-points) + logs, dim=1)
    return shared(labels.preference.to(mean), won, lost)


def quantile(outputs: Float[Tensor, "R O"], labels: Annotations) -> Float[Tensor, " C"]:
    """Cross-entropy of the judges' share with the mean of sigma(q_i - q_j) over all pairs of quantiles of the two responses.

    Bradley-Terry for two independent rewards, each one of its K quantiles with probability 1/K; with equal quantiles it is
    Bradley-Terry itself. For preferences without ratings, of which QRM has no loss.
    """
    quantiles = outputs[:, 1:]
    apart = quantiles[labels.preferred][:, :, None] - quantiles[labels.other][:, None, :]
    apart = apart.flatten(start_dim=1)
    log_count = math.log(apart.shape[1])
    won = torch.logsumexp(F.logsigmoid(apart), dim=1) - log_count
    lost = torch.logsumexp(F.logsigmoid(-apart), dim=1) - log_count
    return shared(labels.preference.to(quantiles), won, lost)


def pinball(outputs: Float[Tensor, "R O"], labels: Annotations) -> Float[Tensor, " R"]:
    """The mean over levels t of max(t e, (t - 1) e), e = rating - q_t; 0 for a response without a rating.

    Quantile regression (Koenker & Bassett 1978), as QRM learns its distributions of ratings (Dorka 2024, arXiv 2409.10164).
    The levels are (k - 1/2) / K.
    """
    quantiles = outputs[:, 1:]
    count = quantiles.shape[1]
    levels = (torch.arange(count, device=quantiles.device).to(quantiles) + 0.5) / count
    rated = ~torch.isnan(labels.rating)
    error = torch.nan_to_num(labels.rating).to(quantiles)[:, None] - quantiles
    each = torch.maximum(levels * error, (levels - 1) * error).mean(dim=1)
    return torch.where(rated, each, torch.zeros_like(each))


def inform(outputs: Float[Tensor, "R 3"], labels: Annotations, *, kl_weight: float = 0.001) -> Float[Tensor, " C"]:
    """The mean of Bradley-Terry's loss over the codes of both responses, plus b times the mean of their divergences.

    InfoRM (Miao et al. 2024, arXiv 2402.09345). The columns are the reward of the code's mean, the standard deviation of
    the reward over codes, and the KL divergence, summed over dimensions. The decoder is linear, so the difference of two
    rewards is normal and the mean over codes is one over it, by a Gauss-Hermite rule; nothing is drawn.
    """
    mean, std, divergence = outputs.unbind(dim=1)
    points, logs = over_normal(difference_of(mean, labels), deviation_of(std, labels))
    preference = labels.preference.to(mean)[:, None].expand_as(points)
    each = bradley_terry(points.reshape(-1), preference.reshape(-1)).reshape(points.shape)
    kept = (divergence[labels.preferred] + divergence[labels.other]) / 2
    return (each * logs.exp()).sum(dim=1) + kl_weight * kept


GAUSSIAN = Loss(gaussian, outputs="gaussian")
QUANTILE = Loss(quantile, outputs="quantile")
PINBALL = Loss(pinball, unit="response", needs="ratings", outputs="quantile")
INFORM = Loss(inform, options={"kl_weight": NumberOption(0.001, low=0.0)}, outputs="inform")
