"""A reward as quantiles of a distribution, whose mean is the reward."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import drawn
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind
from rewardsmith.settings.options import NumberOption

LEVELS = NumberOption(9.0, low=2.0, high=99.0, whole=True)
NARROW = -2.0
"""The bias of a new head: neighbouring quantiles begin softplus(-2) = 0.13 apart."""


class QuantileHead(ColumnHead):
    """K quantiles at the levels (k - 1/2) / K, in order: the distances between neighbours are softplus of linear outputs.

    Their mean is the reward plus `level`, which ratings have and comparisons leave open. Distances cannot be negative, so
    that quantiles never cross, which separate linear ones do (QRM, Dorka 2024, arXiv 2409.10164, has these).
    """

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)
        count = len(info.columns) - 1
        self.weight = nn.Parameter(drawn(count - 1, width, draw))
        self.bias = nn.Parameter(torch.full((count - 1,), NARROW))
        self.level = nn.Parameter(torch.zeros(1))

    def quantiles(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R K"]:
        """The quantiles of each response."""
        apart = F.softplus(F.linear(features, self.weight.float(), self.bias.float()))
        above = F.pad(apart.cumsum(dim=1), (1, 0))
        return rewards[:, None] + self.level.float() + above - above.mean(dim=1, keepdim=True)

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The reward, then the quantiles."""
        return torch.cat([rewards[:, None], self.quantiles(rewards, features)], dim=1)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The standard deviation over the quantiles, then these."""
        quantiles = self.quantiles(rewards, features)
        return torch.cat([quantiles.std(dim=1, correction=0, keepdim=True), quantiles], dim=1)


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """`std`, and a column per level: `q05`, `q50`; with more digits where two would have the same name."""
    count = int(options.get("levels", LEVELS.default))
    levels = [(k + 0.5) / count for k in range(count)]
    digits = 2 if len({f"{level:.2f}" for level in levels}) == count and max(levels) < 0.995 else 4
    names = tuple(f"q{f'{level:.{digits}f}'[2:]}" for level in levels)
    return HeadInfo("quantile", ("std", *names), {"levels": count})


HEAD = HeadKind(losses=("quantile", "pinball"), describe=describe, make=QuantileHead, options={"levels": LEVELS})
