"""How several processes train one network: DDP (each holds it whole) or FSDP2 (each holds a part of every weight).

Both are torch's own (`DistributedDataParallel`, `fully_shard`); what is here says when they exchange gradients. Gradients
come out as the sum over processes of what each has added. DeepSpeed's engine is in `train.zero`, and what makes whole
tensors of sharded ones for files in `train.shards`.
"""

import contextlib
import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.batches import Batch
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.model.runtime.processes import Team
from rewardsmith.train.engines.engine import Engine, Parallel, refuse_shared, unreached
from rewardsmith.train.engines.zero import Zero
from rewardsmith.train.examples import Example


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

    def rewards(self, batch: Batch, keep: Tensor | None, *, wide: bool = False) -> Tensor:
        """As for one process, with DDP's hooks."""
        rewards: Tensor = self.wrapped(batch, keep=keep, wide=wide)
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
            raise ModelError(f"FSDP did not shard {len(whole)} weights, first {whole[0]}; use --parallel ddp")

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
        return Zero(network, team, example=example, settings=zero or {}, clip=clip)
    return Sharded(network, team) if parallel == "fsdp" else Replicated(network, team, example=example)
