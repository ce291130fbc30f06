"""Outputs beside the reward that some losses need during training; the finished model has its reward head alone.

Each takes the features that the head reads and gives columns behind the reward's. They stand inside the transformers model
while it learns, so that they are trained, saved for a resume, cut over processes and counted like any weight.
"""

import math
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Outputs = Literal["rewards", "members", "features", "odin"]
NAME = "extra_outputs"
START = 0.1
"""Standard deviation of a new row of weights, per unit of the square root of the features: outputs begin near 0."""


class ExtraOutputs(nn.Module):
    """Columns of a response behind its reward; this one gives the features themselves."""

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The rewards and the further columns."""
        return torch.cat([rewards[:, None], features], dim=1)


class Members(ExtraOutputs):
    """M heads whose mean is the reward head: its weights plus deviations that sum to zero."""

    def __init__(self, count: int, width: int, draw: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(drawn(count, width, draw))

    @property
    def deviations(self) -> Float[Tensor, "M F"]:
        """What each member's weights add to those of the reward head."""
        centred: Tensor = self.weight - self.weight.mean(dim=0)
        return centred

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The mean, then the reward of each member."""
        members = rewards[:, None] + F.linear(features, self.deviations.float())
        return torch.cat([rewards[:, None], members], dim=1)


class LengthHead(ExtraOutputs):
    """ODIN's second head, which takes on what follows the length, and how alike the two heads are."""

    def __init__(self, width: int, draw: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(drawn(1, width, draw))

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The reward of quality, that of length, and the cosine between the two heads' weights (the same in every row)."""
        weight = self.weight.float()
        alike = F.cosine_similarity(head, weight, dim=1).expand(len(rewards))
        return torch.stack([rewards, F.linear(features, weight).squeeze(1), alike], dim=1)


def drawn(count: int, width: int, draw: torch.Generator) -> Float[Tensor, "M F"]:
    """New rows of weights."""
    return torch.randn(count, width, generator=draw) * START / math.sqrt(width)


def attach(network: Any, kind: Outputs, *, members: int, seed: int) -> None:
    """Give a network the outputs of this kind; "rewards" are those that it has."""
    if kind == "rewards":
        return
    draw, width = torch.Generator().manual_seed(seed), network.head.in_features
    made: ExtraOutputs = ExtraOutputs()
    if kind == "members":
        made = Members(members, width, draw)
    elif kind == "odin":
        made = LengthHead(width, draw)
    network.hf.add_module(NAME, made.to(network.device))


def detach(network: Any) -> Float[np.ndarray, "M F"] | None:
    """Take the outputs away again; returns the weights of the members, where there were some."""
    extra = extra_of(network)
    if extra is None:
        return None
    delattr(network.hf, NAME)
    if not isinstance(extra, Members):
        return None
    whole: Float[np.ndarray, "M F"] = (network.head.weight + extra.deviations).detach().float().cpu().numpy()
    return whole


def extra_of(network: Any) -> ExtraOutputs | None:
    """The outputs that a network has beside its reward."""
    found = getattr(network.hf, NAME, None)
    return found if isinstance(found, ExtraOutputs) else None
