"""Outputs beside the reward that a loss needs during training. Begin in `ExtraOutputs`.

Each takes the features that the head reads and gives columns behind the reward's. They stand inside the transformers model
while it learns, so that they are trained, saved for a resume, cut over processes and counted like any weight. Those of a
head that gives columns (`heads.head`) stay with the finished model; the others are dropped.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

OutputKind = Literal[
    "rewards",
    "members",
    "features",
    "odin",
    "multi-objective",
    "gated",
    "helpful-cost",
    "gaussian",
    "quantile",
    "inform",
    "process",
]
WholeReward = Callable[[Tensor], Tensor]
"""The reward from the features, (R, F) to (R,), of a head for which it is no linear map of them."""
NAME = "extra_outputs"
START = 0.1
"""Standard deviation of a new row of weights, per unit of the square root of the features: outputs begin near 0."""


class ExtraOutputs(nn.Module):
    """Columns of a response behind its reward; this one gives the features themselves.

    With `replaces` the reward is a sum of outputs of this module as well, with the weights `reward_weight()`, and the
    reward head waits: it gets these weights when the outputs are taken away.
    """

    replaces = False

    def reward_weight(self) -> Float[Tensor, "1 F"]:
        """The weights of the reward head, where `replaces`."""
        raise NotImplementedError

    def forward(
        self, rewards: Float[Tensor, " R"], features: Float[Tensor, "R F"], head: Float[Tensor, "1 F"]
    ) -> Float[Tensor, "R O"]:
        """The rewards and the further columns."""
        return torch.cat([rewards[:, None], features], dim=1)


def drawn(count: int, width: int, draw: torch.Generator) -> Float[Tensor, "M F"]:
    """New rows of weights."""
    return torch.randn(count, width, generator=draw) * START / math.sqrt(width)


def attach(network: Any, made: ExtraOutputs) -> None:
    """Give a network these outputs."""
    network.hf.add_module(NAME, made.to(network.device))
    if made.replaces:
        network.head.weight.requires_grad_(False)


def detach(network: Any) -> ExtraOutputs | None:
    """Take the outputs away again."""
    extra = extra_of(network)
    if extra is None:
        return None
    if extra.replaces:
        with torch.no_grad():
            network.head.weight.copy_(extra.reward_weight())
    delattr(network.hf, NAME)
    return extra


def extra_of(network: Any) -> ExtraOutputs | None:
    """The outputs that a network has beside its reward."""
    found = getattr(network.hf, NAME, None)
    return found if isinstance(found, ExtraOutputs) else None
