"""Focal losses: comparisons that the model already decides right count less."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.loss import Loss, expected, on_differences


def focal(
    difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, gamma: float = 2.0
) -> Float[Tensor, " C"]:
    """-(1 - q)^gamma log q with q = sigma(d), averaged over judges (Lin et al. 2017, eq. 4); gamma = 0: Bradley-Terry."""
    return expected(lambda d: -(F.sigmoid(-d) ** gamma) * F.logsigmoid(d), difference, preference)


def focal_ranking(
    difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, gamma: float = 2.0
) -> Float[Tensor, " C"]:
    """-(1 - 2 max(0, q - 1/2))^gamma log q, q = sigma(d), the mean over judges (InternLM2, Cai et al. 2024, section 4.2.1).

    Only comparisons that are won count less, those that are lost count in full; gamma = 0 is Bradley-Terry.
    """

    def one(d: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
        return -((2 * F.sigmoid(-d)).clamp(max=1.0) ** gamma) * F.logsigmoid(d)

    return expected(one, difference, preference)


GAMMA = {"gamma": NumberOption(2.0, low=0.0)}
LOSS = Loss(on_differences(focal), options=GAMMA)
RANKING = Loss(on_differences(focal_ranking), options=GAMMA)
