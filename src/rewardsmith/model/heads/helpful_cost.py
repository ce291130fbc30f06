"""Safe RLHF: a reward of helpfulness, and beside it a cost that is above 0 for unsafe responses."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import drawn
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind

COST = "cost"
SAFE, HELPFUL = "safe", "helpful"
"""The attributes of the data that the two outputs are about."""


class CostHead(ColumnHead):
    """A second linear output with a bias, since its sign has a meaning (Dai et al. 2023, arXiv 2310.12773)."""

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)
        self.weight = nn.Parameter(drawn(1, width, draw))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The reward of helpfulness, and the cost."""
        return torch.cat([rewards[:, None], self.values(rewards, features)], dim=1)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The cost: below 0 for a response that is judged safe."""
        return F.linear(features, self.weight.float(), self.bias.float())


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """One column."""
    return HeadInfo("helpful-cost", (COST,))


HEAD = HeadKind(losses=("helpful-cost",), describe=describe, make=CostHead, by_attribute=True)
