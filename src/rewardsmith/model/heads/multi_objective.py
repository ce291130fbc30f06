"""One output per attribute, and a reward that is their weighted sum."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.errors import UsageError
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import drawn
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind
from rewardsmith.settings.options import ListOption
from rewardsmith.settings.values import nearest

NAME = "multi-objective"


class AttributeHeads(ColumnHead):
    """A linear output per attribute, and the reward as their sum with fixed `mix`; so the reward is linear itself.

    The outputs are rewards of Bradley-Terry, or ratings of mean 0 and deviation 1; `values` gives the latter in the unit of
    the data. Their biases, which no comparison can see, are no part of the reward.
    """

    replaces = True
    mix: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)
        count = len(info.columns)
        self.weight = nn.Parameter(drawn(count, width, draw))
        self.bias = nn.Parameter(torch.zeros(count))
        given = info.options.get("weights") or [1 / count] * count
        self.register_buffer("mix", torch.tensor(given, dtype=torch.float32))
        self.register_buffer("mean", torch.tensor(info.options["means"], dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(info.options["scales"], dtype=torch.float32))

    def reward_weight(self) -> Float[Tensor, "1 F"]:
        """The weights of the reward head: the sum of the outputs'."""
        mixed: Tensor = self.mix.float()[None] @ self.weight.float()
        return mixed

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The reward, then the output of each attribute."""
        read = self.of_response(features)
        return torch.cat([rewards[:, None], F.linear(read, self.weight.float(), self.bias.float())], dim=1)

    def of_response(self, features: Float[Tensor, "R F"]) -> Float[Tensor, "R H"]:
        """The features that the outputs read: all of them."""
        return features

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The output of each attribute, a rating in the unit of the data where it was learned from ratings."""
        outputs = F.linear(self.of_response(features), self.weight.float(), self.bias.float())
        return outputs * self.scale.float() + self.mean.float()

    def set_mix(self, mix: Float[Tensor, " A"]) -> None:
        """Change what each attribute counts in the reward."""
        self.mix.copy_(mix)
        self.info = replace(self.info, options={**self.info.options, "weights": [float(value) for value in mix]})


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """A column per attribute; UsageError for weights of attributes that are not among them."""
    if not plan.names:
        raise UsageError(
            f"--head {NAME}: the training data has no attributes; expected ratings or comparisons by attribute"
        )
    scales = [plan.rated.get(name, (0.0, 1.0)) for name in plan.names]
    weights = parse_weights(options.get("weights", ()), plan.names)
    if weights is None and plan.equal:
        weights = [1 / len(plan.names)] * len(plan.names)
    learned_from = {name: "ratings" if name in plan.rated else "comparisons" for name in plan.names}
    means = {"means": [mean for mean, _ in scales], "scales": [scale for _, scale in scales]}
    return HeadInfo(NAME, plan.names, {"learned_from": learned_from, **means, "weights": weights})


def parse_weights(given: Sequence[str], names: tuple[str, ...]) -> list[float] | None:
    """`helpful=1 safe=0.5` as a weight per attribute, 0 for those that are not named; None where none is given."""
    if not given:
        return None
    found: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageError(f"--head.weights {text}: expected ATTRIBUTE=NUMBER, for example {names[0]}=1") from None
    if unknown := [name for name in found if name not in names]:
        raise UsageError(
            f"--head.weights {unknown[0]}: expected one of the attributes {', '.join(names)}.{nearest(unknown[0], names)}"
        )
    if not any(found.values()):
        raise UsageError("--head.weights: all weights are 0, so the reward would be constant; give one above 0")
    return [found.get(name, 0.0) for name in names]


HEAD = HeadKind(
    losses=("attributes",),
    describe=describe,
    make=AttributeHeads,
    options={"weights": ListOption(), "attributes": ListOption()},
    by_attribute=True,
)
