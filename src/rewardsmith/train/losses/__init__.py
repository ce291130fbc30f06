"""Losses: rewards and labels in, one value per comparison, rated response or ranking out. Begin in `loss`.

`LOSSES` names them; `choose` binds the options that a run has given. Adding one: a file with a pure function and its
`Loss`, a line here, a test, a row in docs/losses.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import UsageError
from rewardsmith.settings.options import NumberOption, check_option
from rewardsmith.settings.values import nearest
from rewardsmith.train.losses import (
    attributes,
    bradley_terry,
    contrastive,
    distributions,
    focal,
    helpful_cost,
    hinge,
    label_smoothing,
    margin,
    odin,
    plackett_luce,
    regression,
    robust,
    steps,
    symmetric,
    text,
    ties,
    uncertainty,
    votes,
)
from rewardsmith.train.losses.centering import centering
from rewardsmith.train.losses.loss import LN_2, Annotations, Loss
from rewardsmith.train.losses.members import of_members
from rewardsmith.train.losses.text import text_term

__all__ = ["CENTER", "LN_2", "LOSSES", "Annotations", "Loss", "choose"]

LOSSES: Mapping[str, Loss] = {
    "bradley-terry": bradley_terry.LOSS,
    "margin": margin.LOSS,
    "scaled-margin": margin.SCALED,
    "label-smoothing": label_smoothing.LOSS,
    "soft-labels": votes.LOSS,
    "rao-kupper": ties.RAO_KUPPER,
    "davidson": ties.DAVIDSON,
    "hinge": hinge.LOSS,
    "focal": focal.LOSS,
    "focal-ranking": focal.RANKING,
    "symmetric": symmetric.LOSS,
    "ramp": symmetric.RAMP,
    "unbiased": robust.UNBIASED,
    "gce": robust.GENERALISED,
    "plackett-luce": plackett_luce.LOSS,
    "regression": regression.LOSS,
    "uncertainty": uncertainty.LOSS,
    "contrastive": contrastive.LOSS,
    "odin": odin.LOSS,
    "attributes": attributes.LOSS,
    "helpful-cost": helpful_cost.LOSS,
    "gaussian": distributions.GAUSSIAN,
    "quantile": distributions.QUANTILE,
    "pinball": distributions.PINBALL,
    "inform": distributions.INFORM,
    "step-cross-entropy": steps.LOSS,
}
OF_THE_STEP = ("members", "view_dropout")
"""Options that decide what a loss is given, not how it is computed."""
CENTER = NumberOption(0.0, low=0.0)
"""The coefficient of centring, which every loss on comparisons takes."""


def choose(name: str, given: Mapping[str, float] | None = None, *, members: int = 1) -> Loss:
    """The loss of this name with its options (`gamma`, `center`, …); UsageError for a name or option that does not fit.

    For several `members` it is that of heads which learn together (see `members`).
    """
    if name not in LOSSES:
        raise UsageError(f"--loss {name}: expected one of {', '.join(LOSSES)}.{nearest(name, LOSSES)}")
    loss, given = LOSSES[name], dict(given or {})
    for option, value in given.items():
        check_option("loss", name, known_options(), option, value)
    fixed = {name: loss.options[name].default for name in OF_THE_STEP if name in loss.options}
    fixed |= {name: given.pop(name) for name in OF_THE_STEP if name in given}
    center = given.pop("center", 0.0)
    term = text_term(given)
    values = partial(loss.values, **given) if given else loss.values
    if center:
        values = partial(centered, values, center, loss.unit)
    chosen = replace(
        loss,
        values=values,
        members=int(fixed.get("members", 0)),
        view_dropout=fixed.get("view_dropout", 0.0),
        text=term,
    )
    return of_members(chosen, name, members)


def known_options() -> dict[str, dict[str, NumberOption]]:
    """The options of every loss, those of centring and of terms on text among them."""
    of_all = {"ranking": {"center": CENTER}, "comparison": {"center": CENTER, **text.OPTIONS}}
    return {name: {**loss.options, **of_all.get(loss.unit, {})} for name, loss in LOSSES.items()}


def centered(
    values: Callable[..., Tensor], center: float, unit: str, rewards: Float[Tensor, "R ..."], labels: Annotations
) -> Float[Tensor, " U"]:
    """The loss plus the centring of its comparisons; of a ranking, their weighted mean."""
    more = centering(rewards if rewards.dim() == 1 else rewards[:, 0], labels)
    if unit == "ranking":
        weight, record = labels.weight.to(more), labels.record[labels.preferred]
        empty = more.new_zeros(len(labels.unit_weight))
        more = empty.index_add(0, record, weight * more) / empty.index_add(0, record, weight).clamp(min=1e-12)
    result: Tensor = values(rewards, labels) + center * more
    return result
