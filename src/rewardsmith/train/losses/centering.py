"""Centring: rewards near zero on average, since comparisons leave their level open. Added to a loss, not one by itself."""

from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses.loss import Annotations


def centering(rewards: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, " C"]:
    """(r_preferred + r_other)^2 per comparison (Eisenstein et al. 2023, arXiv 2312.09244, appendix A)."""
    return (rewards[labels.preferred] + rewards[labels.other]) ** 2
