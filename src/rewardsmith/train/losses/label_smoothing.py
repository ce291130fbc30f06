"""Label smoothing (conservative Bradley-Terry): every label is taken to be wrong with a known probability."""

from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Loss, on_differences


def label_smoothing(
    difference: Float[Tensor, " C"], preference: Float[Tensor, " C"], *, smoothing: float = 0.1
) -> Float[Tensor, " C"]:
    """Bradley-Terry with the target p (1 - e) + (1 - p) e (conservative DPO, Mitchell 2023, note on noisy preferences).

    The smallest value is at sigma(d) = target, so margins stay finite: at most log((1 - e) / e).
    """
    return bradley_terry(difference, preference * (1 - smoothing) + (1 - preference) * smoothing)


LOSS = Loss(
    on_differences(label_smoothing),
    options={"smoothing": NumberOption(0.1, low=0.0, high=0.5, open_high=True)},
)
