"""Bradley-Terry with the strength of a preference: as a lead to reach, or as a weight."""

from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Loss, known, on_differences


def margin(
    difference: Float[Tensor, " C"],
    preference: Float[Tensor, " C"],
    *,
    margin: Float[Tensor, " C"],
    margin_scale: float = 1.0,
) -> Float[Tensor, " C"]:
    """-log sigma(d - s m): the preferred response has to lead by s times the margin (Llama 2, Touvron et al. 2023, eq. 2).

    The lead shrinks with the judges' share, s m (2 p - 1), so a tie asks for none and swapping the sides of a comparison
    changes nothing. A comparison without a margin (NaN) has the margin 0, which is Bradley-Terry.
    """
    lead = margin_scale * known(margin, 0.0) * (2 * preference - 1)
    return bradley_terry(difference - lead, preference)


def scaled_margin(
    difference: Float[Tensor, " C"],
    preference: Float[Tensor, " C"],
    *,
    margin: Float[Tensor, " C"],
    margin_scale: float = 1.0,
) -> Float[Tensor, " C"]:
    """s m times the Bradley-Terry loss: a stronger preference counts more (HelpSteer2-Preference, Wang et al. 2024, eq. 3).

    The weights are not divided by their mean, as in the paper. A comparison without a margin (NaN) has the factor 1.
    """
    return known(margin_scale * margin, 1.0) * bradley_terry(difference, preference)


SCALE = {"margin_scale": NumberOption(1.0, low=0.0)}
LOSS = Loss(on_differences(margin, margin="margin"), options=SCALE, needs="margins")
SCALED = Loss(on_differences(scaled_margin, margin="margin"), options=SCALE, needs="margins")
