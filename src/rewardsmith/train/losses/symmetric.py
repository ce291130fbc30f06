"""Symmetric losses, l(d) + l(-d) = constant: a known share of flipped labels changes their scale, not their minimum."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses.loss import Loss, on_differences


def sigmoid(difference: Float[Tensor, " C"], preference: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
    """sigma(-d), the mean over judges: the probability of a wrong decision (Nishimori et al. 2025, arXiv 2505.24709).

    With labels flipped at a rate e the mean is (1 - 2 e) l(d) + e, so its minimum is where that of the clean labels is.
    Bounded by 1: a comparison that is far off pulls no more than one that is nearly decided.
    """
    return preference * F.sigmoid(-difference) + (1 - preference) * F.sigmoid(difference)


def ramp(difference: Float[Tensor, " C"], preference: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
    """(1 - d) / 2 cut to [0, 1], the mean over judges (ramp loss, Collobert et al. 2006; symmetric as in arXiv 2505.24709).

    No gradient outside |d| < 1: heads have to start with small differences, as ours do.
    """
    wrong = ((1 - difference) / 2).clamp(0, 1)
    return preference * wrong + (1 - preference) * (1 - wrong)


LOSS = Loss(on_differences(sigmoid))
RAMP = Loss(on_differences(ramp))
