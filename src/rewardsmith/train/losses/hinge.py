"""Hinge: pairs that are apart by more than a fixed lead cost nothing."""

from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.loss import Loss, expected, on_differences


def hinge(
    difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, hinge_lead: float = 1.0
) -> Float[Tensor, " C"]:
    """max(0, lead - d), the mean over judges (RankSVM, Joachims 2002; SLiC-HF, Zhao et al. 2023, equation 1).

    A tie costs `hinge_lead` while |d| <= lead and more beyond: it pulls no rewards together that are closer than that.
    """
    return expected(lambda d: (hinge_lead - d).clamp(min=0), difference, preference)


LOSS = Loss(on_differences(hinge), options={"hinge_lead": NumberOption(1.0, low=0.0, open_low=True)})
