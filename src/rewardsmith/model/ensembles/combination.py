"""One reward from those of several members.

Members are models of their own: neither the scale nor the level of their rewards has to be the same, since comparisons
decide neither. So each member's rewards are first put on one scale: minus its `centre` (its mean reward on held-out
responses), divided by its `scale` (the standard deviation of its margins on held-out comparisons), times the mean scale.

mean: the expected reward; min: worst-case optimisation; mean-std: mean - weight * std (Coste et al. 2023, arXiv 2310.02743,
section 3, whose UWO takes the variance; the standard deviation has the rewards' unit); median: one member far off does not
count. The standard deviation divides by the number of members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

CombineRule = Literal["mean", "min", "median", "mean-std"]
RULES: tuple[str, ...] = get_args(CombineRule)
STD_WEIGHT = 1.0


@dataclass(frozen=True)
class MemberScale:
    """What a member's rewards are moved and divided by; 0 and 1 leave them as they are."""

    centre: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Combiner:
    """The rule, and for mean-std how many standard deviations are taken off."""

    rule: CombineRule = "mean"
    std_weight: float = STD_WEIGHT

    def of(self, members: Float[Tensor, "R M"]) -> Float[Tensor, " R"]:
        """One reward per response from the members' on one scale."""
        if self.rule == "min":
            return members.amin(dim=1)
        if self.rule == "median":
            return median(members)
        mean: Tensor = members.mean(dim=1)
        return mean if self.rule == "mean" else mean - self.std_weight * members.std(dim=1, correction=0)

    def told(self) -> str:
        """The rule in a word, with its weight where it has one."""
        return f"mean - {self.std_weight:g} std" if self.rule == "mean-std" else self.rule


def median(members: Float[Tensor, "R M"]) -> Float[Tensor, " R"]:
    """The middle member; of an even number the mean of the two in the middle, where torch takes the lower."""
    ordered = members.sort(dim=1).values
    low, high = (members.shape[1] - 1) // 2, members.shape[1] // 2
    return (ordered[:, low] + ordered[:, high]) / 2


def on_one_scale(rewards: Float[Tensor, "R M"], scales: Sequence[MemberScale]) -> Float[Tensor, "R M"]:
    """The members' rewards, moved and divided, times the mean scale, so that the unit stays that of a member."""
    centre = rewards.new_tensor([one.centre for one in scales])
    scale = rewards.new_tensor([one.scale for one in scales])
    return (rewards - centre) / scale * scale.mean()


def member_columns(count: int) -> tuple[str, ...]:
    """The names of the columns of `columns_of`: std, member_1, …, member_M."""
    return ("std", *(f"member_{number}" for number in range(1, count + 1)))


def columns_of(members: Float[Tensor, "R M"]) -> Float[Tensor, "R C"]:
    """The members' standard deviation (divided by their number) and their rewards."""
    members = members.double()
    return torch.cat([members.std(dim=1, correction=0, keepdim=True), members], dim=1)
