"""Losses as pure functions on tensors, one value per comparison, nothing averaged: the caller weighs and sums."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LN_2 = 0.6931471805599453


def bradley_terry(
    preferred: Float[Tensor, " C"], other: Float[Tensor, " C"], preference: Float[Tensor, " C"]
) -> Float[Tensor, " C"]:
    """Cross-entropy between the judges' share and the model's P(preferred beats other) = sigma(difference).

    `preference` in [0.5, 1] is the share of judges for the preferred response (1 = all, 0.5 = tie). With a share of 1
    this is -log sigma(r_preferred - r_other) (Bradley & Terry 1952; Ouyang et al. 2022, equation 1).
    """
    difference = preferred - other
    return -(preference * F.logsigmoid(difference) + (1 - preference) * F.logsigmoid(-difference))


Loss = Callable[[Float[Tensor, " C"], Float[Tensor, " C"], Float[Tensor, " C"]], Float[Tensor, " C"]]
LOSSES: dict[str, Loss] = {"bradley-terry": bradley_terry}
