"""How one process trains the network, as every engine begins; and what all engines ask of a network."""

import contextlib
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.batches import Batch, cost
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.lean.swap import gathering
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.train.engines.shards import whole
from rewardsmith.train.examples import Example

Parallel = Literal["ddp", "fsdp", "deepspeed"]


class Engine:
    """One process: the network as it is."""

    def __init__(self, network: RewardNetwork, team: Team = ALONE) -> None:
        self.network = network
        self.team = team

    @property
    def weight(self) -> float:
        """What a loss is multiplied with, so that gradients are summed where the engine averages them."""
        return float(self.team.size)

    def rewards(self, batch: Batch, keep: Tensor | None, *, wide: bool = False) -> Tensor:
        """A forward pass that can be followed by a backward pass; with `wide`, all columns (`model.heads.extra`)."""
        rewards: Tensor = self.network(batch, keep=keep, wide=wide)
        return rewards

    def passing(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """Surrounds one forward and backward pass; only the last of a step needs to exchange gradients."""
        return gathering(self.network.hf)

    def start(self, optimizer: Any) -> Any:
        """The optimizer to use, made of one over the parameters as they are after this engine was made."""
        return optimizer

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss that `weight` and the scale are in."""
        torch.autograd.backward(loss)

    def clip(self, optimizer: Any, scaler: torch.amp.GradScaler, limit: float) -> Tensor:
        """Clip the gradient to a norm of `limit` (0: not at all); returns its norm before that, on the device."""
        scaler.unscale_(optimizer)
        return gradient_norm(self.network, limit)

    def update(self, optimizer: Any, scaler: torch.amp.GradScaler, norm: float) -> float:
        """Update the weights with a gradient of this norm, and forget it; returns the norm.

        Nothing is updated where it is not finite (with fp16, `scaler` lowers its scale then).
        """
        if math.isfinite(norm) or scaler.is_enabled():
            scaler.step(optimizer)  # skips the step where fp16 overflowed, and lowers the scale
            scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return norm

    def close(self) -> None:
        """After the last step: undo what the engine has changed outside of the network."""


def refuse_shared(network: RewardNetwork, how: str = "FSDP") -> None:
    """ModelError where two modules hold one weight: cut twice, it would become two."""
    owners: dict[int, str] = {}
    for name, parameter in network.hf.named_parameters(remove_duplicate=False):
        first = owners.setdefault(id(parameter), name)
        if first != name and ".original_module." not in name:
            raise ModelError(f"{name} and {first} are tied weights, which {how} cannot shard; use --parallel ddp")


def unreached(network: RewardNetwork, example: Example) -> list[str]:
    """Names of the learning parameters that no reward depends on; some classes of transformers have such ones."""
    was_training = network.training
    network.eval()  # draws no random number
    try:
        network(network.collate([example.tree]), wide=True).sum().backward()
        return [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    finally:
        network.zero_grad(set_to_none=True)
        network.train(was_training)


def deal(examples: Sequence[Example], size: int, *, packed: bool) -> list[list[Example]]:
    """The examples of one step by process: the longest first, each to the process with the fewest tokens so far."""
    costs = [cost(example.tree, packed=packed) for example in examples]
    loads = [0] * size
    hands: list[list[int]] = [[] for _ in range(size)]
    for index in sorted(range(len(examples)), key=lambda index: (-costs[index], index)):
        poorest = loads.index(min(loads))
        hands[poorest].append(index)
        loads[poorest] += costs[index]
    return [[examples[index] for index in sorted(hand)] for hand in hands]


def gradient_norm(network: RewardNetwork, limit: float) -> Tensor:
    """Clip the gradient of all learning parameters to `limit` (0: not at all); returns its norm before that, on the device.

    A gradient that is not finite becomes NaN; whoever reads the norm has to leave the weights alone then.
    """
    learning: list[Any] = [p for p in network.hf.parameters() if p.requires_grad]
    return whole(torch.nn.utils.clip_grad_norm_(learning, limit or float("inf")))
