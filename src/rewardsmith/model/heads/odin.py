"""ODIN: a second head that takes on what follows the length of a response."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import drawn
from rewardsmith.model.heads.head import ColumnHead, HeadInfo, HeadKind


class LengthHead(ColumnHead):
    """ODIN's head of length (Chen et al. 2024, arXiv 2402.07319); the reward is that of quality, without the length."""

    def __init__(self, info: HeadInfo, width: int, draw: torch.Generator) -> None:
        super().__init__(info)
        self.weight = nn.Parameter(drawn(1, width, draw))

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The reward of quality, that of length, and the cosine between the two heads' weights (the same in every row)."""
        weight = self.weight.float()
        alike = F.cosine_similarity(head, weight, dim=1).expand(len(rewards))
        return torch.stack([rewards, F.linear(features, weight).squeeze(1), alike], dim=1)

    def values(self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"]) -> Float[Tensor, "R C"]:
        """The reward of length, which was added to that of quality while they learned."""
        return F.linear(features, self.weight.float())


def describe(options: Mapping[str, Any], plan: AttributePlan) -> HeadInfo:
    """One column."""
    return HeadInfo("odin", ("length",))


HEAD = HeadKind(losses=("odin",), describe=describe, make=LengthHead)
