"""A reward with a standard deviation: each response's reward is a normal distribution, whose mean is the reward."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import drawn
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind

SMALL = -1.0
"""The bias of a new head: standard deviations begin near softplus(-1) = 0.31, where the loss is nearly Bradley-Terry."""


class DeviationHead(ColumnHead):
    """The standard deviation, softplus of a linear output (PURM, Sun et al. 2025, arXiv 2503.22480)."""

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)
        self.weight = nn.Parameter(drawn(1, width, draw))
        self.bias = nn.Parameter(torch.full((1,), SMALL))

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """Mean and standard deviation."""
        return torch.cat([rewards[:, None], self.values(rewards, features)], dim=1)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The standard deviation."""
        return F.softplus(F.linear(features, self.weight.float(), self.bias.float()))


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """One column."""
    return HeadInfo("gaussian", ("std",))


HEAD = HeadKind(losses=("gaussian",), describe=describe, make=DeviationHead)
