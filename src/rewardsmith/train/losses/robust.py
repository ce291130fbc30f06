"""Losses for labels of which a share is wrong: unbiased under a known rate, and generalised cross-entropy."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.loss import Loss, expected, on_differences


def unbiased(
    difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, flip_rate: float = 0.1
) -> Float[Tensor, " C"]:
    """((1 - e) l(d) - e l(-d)) / (1 - 2 e), l Bradley-Terry, the mean over judges; e = 0 is Bradley-Terry.

    Its mean over labels flipped at the rate e is the loss of the clean labels (Natarajan et al. 2013, lemma 1; robust DPO,
    Chowdhury et al. 2024, equation 12). It falls without bound with the margin, so it needs validation or few epochs.
    """
    rate = flip_rate

    def one(d: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
        return (rate * F.logsigmoid(-d) - (1 - rate) * F.logsigmoid(d)) / (1 - 2 * rate)

    return expected(one, difference, preference)


def generalised_cross_entropy(
    difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, power: float = 0.7
) -> Float[Tensor, " C"]:
    """(1 - q^k) / k with q = sigma(d), the mean over judges (Zhang & Sabuncu 2018, equation 6).

    Between Bradley-Terry (k to 0) and the sigmoid loss (k = 1), whose gradient a wrong label cannot dominate.
    """
    return expected(lambda d: -torch.expm1(power * F.logsigmoid(d)) / power, difference, preference)


UNBIASED = Loss(on_differences(unbiased), options={"flip_rate": NumberOption(0.1, low=0.0, high=0.5, open_high=True)})
GENERALISED = Loss(
    on_differences(generalised_cross_entropy), options={"power": NumberOption(0.7, low=0.0, high=1.0, open_low=True)}
)
