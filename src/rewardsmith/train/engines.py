"""How several processes train one network: DDP (each holds it whole) or FSDP2 (each holds a part of every weight).

Both are torch's own (`DistributedDataParallel`, `fully_shard`); what is here says when they exchange gradients. Gradients
come out as the sum over processes of what each has added. DeepSpeed's engine is in `train.zero`, and what makes whole
tensors of sharded ones for files in `train.shards`.
"""

import contextlib
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from rewardsmith.errors import ModelError
from rewardsmith.model.batches import Batch, cost
from rewardsmith.model.lean import gathering
from rewardsmith.model.network import RewardNetwork, layer_stack
from rewardsmith.model.team import ALONE, Team
from rewardsmith.train.examples import Example
from rewardsmith.train.shards import whole

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

    def rewards(self, batch: Batch, keep: Tensor | None) -> Tensor:
        """A forward pass that can be followed by a backward pass."""
        rewards: Tensor = self.network(batch, keep=keep)
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

    def step(self, optimizer: Any, scaler: torch.amp.GradScaler, clip: float) -> float:
        """Clip the gradient, update the weights, forget it; returns its norm before clipping.

        Nothing is updated where the norm is not finite (with fp16, `scaler` lowers its scale then).
        """
        scaler.unscale_(optimizer)
        norm = gradient_norm(self.network, clip)
        if math.isfinite(norm) or scaler.is_enabled():
            scaler.step(optimizer)  # skips the step where fp16 overflowed, and lowers the scale
            scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return norm

    def close(self) -> None:
        """After the last step: undo what the engine has changed outside of the network."""


class Replicated(Engine):
    """DDP: every process holds the whole network; gradients are averaged during the last backward pass of a step."""

    def __init__(self, network: RewardNetwork, team: Team, *, example: Example) -> None:
        super().__init__(network, team)
        unused = unreached(network, example)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # broadcast_buffers gets another name
            self.wrapped = nn.parallel.DistributedDataParallel(
                network, broadcast_buffers=False, gradient_as_bucket_view=True, find_unused_parameters=bool(unused)
            )

    def rewards(self, batch: Batch, keep: Tensor | None) -> Tensor:
        """As for one process, with DDP's hooks."""
        rewards: Tensor = self.wrapped(batch, keep=keep)
        return rewards

    def passing(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients stay here until the step's last pass."""
        return contextlib.nullcontext() if last else self.wrapped.no_sync()


class Sharded(Engine):
    """FSDP2: every weight, gradient and moment is cut over the processes; a layer's weights are gathered to use them.

    Gradients are summed and cut after every pass: kept whole until the last one, they would take the memory that
    sharding saves.
    """

    def __init__(self, network: RewardNetwork, team: Team) -> None:
        super().__init__(network, team)
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        refuse_shared(network)
        mesh = init_device_mesh(network.device.type, (team.size,))
        for layer in layer_stack(network.hf.base_model):
            fully_shard(layer, mesh=mesh)
        fully_shard(network, mesh=mesh)
        whole = [name for name, p in network.named_parameters() if not isinstance(p, DTensor)]
        if whole:
            raise ModelError(f"FSDP left {len(whole)} weights whole, first {whole[0]}; train with --parallel ddp")

    def passing(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """FSDP's hooks exchange gradients in every pass."""
        return contextlib.nullcontext()


def start_engine(
    network: RewardNetwork,
    team: Team,
    parallel: Parallel,
    *,
    example: Example,
    zero: Mapping[str, Any] | None = None,
    clip: float = 0.0,
) -> Engine:
    """What trains the network; the optimizer has to be made afterwards, since FSDP replaces parameters.

    DeepSpeed takes `zero`, its settings of that name, and `clip`, since it clips by itself.
    """
    if team.size == 1:
        return Engine(network)
    if parallel == "deepspeed":
        from rewardsmith.train.zero import Zero

        return Zero(network, team, example=example, settings=zero or {}, clip=clip)
    return Sharded(network, team) if parallel == "fsdp" else Replicated(network, team, example=example)


def refuse_shared(network: RewardNetwork, how: str = "FSDP") -> None:
    """ModelError where two modules hold one weight: cut twice, it would become two."""
    owners: dict[int, str] = {}
    for name, parameter in network.hf.named_parameters(remove_duplicate=False):
        first = owners.setdefault(id(parameter), name)
        if first != name and ".original_module." not in name:
            raise ModelError(f"{name} and {first} are one weight, which {how} cannot cut; train with --parallel ddp")


def unreached(network: RewardNetwork, example: Example) -> list[str]:
    """Names of the learning parameters that no reward depends on; some classes of transformers have such ones."""
    was_training = network.training
    network.eval()  # draws no random number
    try:
        network(network.collate([example.tree])).sum().backward()
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


def gradient_norm(network: RewardNetwork, limit: float) -> float:
    """Clip the gradient of all learning parameters to `limit` (0: not at all); returns its norm before that."""
    learning: list[Any] = [p for p in network.hf.parameters() if p.requires_grad]
    return whole(torch.nn.utils.clip_grad_norm_(learning, limit or float("inf"))).item()
