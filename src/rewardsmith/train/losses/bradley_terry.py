"""Bradley-Terry: the logistic model of preference, with the judges' share as target."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses.loss import Loss, on_differences


def bradley_terry(difference: Float[Tensor, " C"], preference: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
    """Cross-entropy between the judges' share and the model's P(preferred beats other) = sigma(difference).

    `preference` in [0.5, 1] is the share of judges for the preferred response (1 = all, 0.5 = tie). With a share of 1
    this is -log sigma(r_preferred - r_other) (Bradley & Terry 1952; Ouyang et al. 2022, equation 1, whose K-wise form is
    this loss on all pairs of a ranking, which share the weight 1).
    """
    return -(preference * F.logsigmoid(difference) + (1 - preference) * F.logsigmoid(-difference))


LOSS = Loss(on_differences(bradley_terry))
