"""What a loss is: a function of rewards and labels with one value per unit, nothing averaged, and its options.

A unit is a comparison, a rated response, a ranking or a record. The step weighs and averages: sum(w * value) / sum(w) over
all units of an optimizer step, where the units of a record share its weight, so that a ranking counts as much as a pair.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rewardsmith.model.heads.extra import OutputKind
from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.rankings import Choices
from rewardsmith.train.losses.text import TextTerm

LN_2 = 0.6931471805599453

Unit = Literal["comparison", "response", "ranking", "record"]
Needs = Literal["margins", "votes", "ratings", "rankings"]


@dataclass(frozen=True)
class AttributeLabels:
    """What the data say of A attributes: D comparisons with the number of each one's attribute, and ratings (NaN: none).

    As in `Annotations`; the comparisons of the attribute that the reward follows are there, not here.
    """

    preferred: Int64[Tensor, " D"]
    other: Int64[Tensor, " D"]
    preference: Float[Tensor, " D"]
    weight: Float[Tensor, " D"]
    attribute: Int64[Tensor, " D"]
    rating: Float[Tensor, "R A"]


@dataclass(frozen=True)
class Annotations:
    """What the data say of R responses and of the C comparisons between them, on the device of the rewards.

    `preferred` and `other` are indices of responses, `preference` in [0.5, 1] is the share of judges for `preferred`,
    `weight` what the comparison counts. `margin` (in the data's unit), `votes` (for, against, undecided) and `rating` are
    NaN where the data have none. `length` counts the tokens of each response, `record` numbers the records. `choices` are
    those of the records' rankings (None unless the loss is about them). `unit_weight` is what each unit of the loss counts.
    `views` are two masks of dropout for the features of each response (None unless the loss compares views), `resample`
    counts each comparison in the bootstrap samples of M members (None unless there are such), `attributes` are what else
    was judged (None unless the loss learns attributes).
    """

    preferred: Int64[Tensor, " C"]
    other: Int64[Tensor, " C"]
    preference: Float[Tensor, " C"]
    weight: Float[Tensor, " C"]
    margin: Float[Tensor, " C"]
    votes: Float[Tensor, "C 3"]
    rating: Float[Tensor, " R"]
    length: Float[Tensor, " R"]
    record: Int64[Tensor, " R"]
    choices: Choices | None
    unit_weight: Float[Tensor, " U"]
    views: Float[Tensor, "2 R F"] | None = None
    resample: Float[Tensor, "C M"] | None = None
    attributes: AttributeLabels | None = None


@dataclass(frozen=True)
class Loss:
    """A loss and what it asks for.

    `values(outputs, labels, **options)` gives one value per unit. `outputs` are the R rewards or, where `outputs` says so,
    (R, O) columns of which the first is the reward (see `model.heads.extra`).
    `couples`: its value for one unit depends on all units of the optimizer
    step, so it has to see the whole step at once. `needs` names what the data must have. `held_out` is the loss that
    validation uses in its place, from the rewards alone (None: itself). `members` are those of an ensemble, `view_dropout`
    the rate at which views are made, where the loss has such. `text` are terms on the text of responses, whose two columns
    stand behind the others.
    """

    values: Callable[..., Float[Tensor, " U"]]
    unit: Unit = "comparison"
    options: Mapping[str, NumberOption] = field(default_factory=dict)
    needs: Needs | None = None
    couples: bool = False
    outputs: OutputKind = "rewards"
    held_out: Callable[..., Float[Tensor, " U"]] | None = None
    members: int = 0
    view_dropout: float = 0.0
    text: TextTerm | None = None

    def parts(self, outputs: Tensor, labels: Annotations) -> tuple[Float[Tensor, " U"], Float[Tensor, " U"] | None]:
        """The values of the loss proper, and what the text adds to each unit (None without such terms)."""
        if self.text is None:
            return self.values(outputs, labels), None
        own = outputs[:, :-2] if self.wide else outputs[:, 0]
        return self.values(own, labels), self.text.values(
            outputs[:, -2:], labels.preferred, labels.other, labels.preference
        )

    def whole(self, own: Float[Tensor, " U"], text: Float[Tensor, " U"] | None) -> Float[Tensor, " U"]:
        """What is minimised, from both parts."""
        return own if text is None or self.text is None else self.text.kept * own + text

    @property
    def wide(self) -> bool:
        """Whether it takes more of the head than the rewards."""
        return self.outputs != "rewards"


Pairwise = Callable[..., Float[Tensor, " C"]]


def on_differences(function: Pairwise, **named: str) -> Callable[..., Float[Tensor, " C"]]:
    """A loss on rewards from one on differences: `function(difference, preference, …)`.

    `named` gives further arguments from the labels: `margin="margin"` passes `labels.margin`.
    """

    def values(rewards: Float[Tensor, " R"], labels: Annotations, **options: float) -> Float[Tensor, " C"]:
        more = {name: getattr(labels, source) for name, source in named.items()}
        return function(difference_of(rewards, labels), labels.preference, **more, **options)

    return values


def difference_of(rewards: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, " C"]:
    """Reward of the preferred response minus that of the other."""
    return rewards[labels.preferred] - rewards[labels.other]


def expected(
    loss: Callable[[Float[Tensor, " C"]], Float[Tensor, " C"]],
    difference: Float[Tensor, " C"],
    preference: Float[Tensor, " C"],
) -> Float[Tensor, " C"]:
    """The mean over judges: those for the preferred response pay loss(d), the others loss(-d); a tie pays half of each."""
    return preference * loss(difference) + (1 - preference) * loss(-difference)


def known(values: Float[Tensor, " U"], otherwise: float) -> Float[Tensor, " U"]:
    """The values, `otherwise` where the data have none."""
    return torch.nan_to_num(values, nan=otherwise)
