"""Time and memory of training, from a micro-batch that is computed forward and back, and one update of the weights."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.setup import Start

if TYPE_CHECKING:
    import torch

    from rewardsmith.train.examples import Example


@dataclass(frozen=True)
class Measured:
    """What one micro-batch took; `cost_per_record` is tokens that the network computes for a record, shared ones once."""

    tokens: int
    cost_per_record: float
    seconds_per_token: float
    seconds_per_update: float
    peak_bytes: int
    all_bytes: int
    on_gpu: bool
    device: str
    parameters: int
    trainable: int

    @property
    def tokens_per_second(self) -> float:
        """Speed of forward and backward pass."""
        return 1 / self.seconds_per_token

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return asdict(self) | {"tokens_per_second": self.tokens_per_second}


def measured(config: Config, start: Start, examples: Sequence["Example"]) -> Measured:
    """Compute a micro-batch twice, the first to warm up, and update the weights once; the model is spoilt by it."""
    from rewardsmith.model.forward.batches import cost
    from rewardsmith.model.runtime.devices import begin_peak_memory, peak_memory
    from rewardsmith.model.scorer import DEFAULT_BUDGET
    from rewardsmith.train.losses import choose
    from rewardsmith.train.masks import Dropout
    from rewardsmith.train.optimizer import count_parameters, make_optimizer
    from rewardsmith.train.step import accumulate

    network = start.model.network
    costs = [cost(example.tree, packed=network.packed) for example in examples]
    budget = config.tokens_per_microbatch or DEFAULT_BUDGET.get(network.device.type, DEFAULT_BUDGET["cpu"])
    chosen = micro_batch(examples, costs, budget=budget, most=config.batch)
    tokens = sum(cost(example.tree, packed=network.packed) for example in chosen)
    begin_peak_memory(network.device)
    optimizer = make_optimizer(network, lr=1e-6, weight_decay=0.0)
    loss = choose(config.loss.name, config.loss.options, members=config.stepped_heads)
    network.train()
    for _ in range(2):
        started = time.perf_counter()
        accumulate(network, chosen, loss, dropout=Dropout(0.0, 0, 0), budget=budget)
        spent = time.perf_counter() - started
    started = time.perf_counter()
    optimizer.step()
    updated = time.perf_counter() - started
    peak = peak_memory(network.device)
    counts = count_parameters(network)
    return Measured(
        tokens=tokens,
        cost_per_record=sum(costs) / len(costs),
        seconds_per_token=spent / tokens,
        seconds_per_update=updated,
        peak_bytes=next(iter(peak.values()), 0),
        all_bytes=total_memory(network.device),
        on_gpu=network.device.type == "cuda",
        device=str(network.device),
        parameters=counts.all,
        trainable=counts.trainable,
    )


def micro_batch(examples: Sequence["Example"], costs: Sequence[int], *, budget: int, most: int) -> list["Example"]:
    """The longest records that one forward pass of `budget` tokens takes, at least one, at most those of a step.

    The longest, since memory has to suffice for them.
    """
    chosen: list[Example] = []
    left = budget
    for index in sorted(range(len(examples)), key=lambda index: -costs[index]):
        if chosen and (costs[index] > left or len(chosen) == most):
            break
        chosen.append(examples[index])
        left -= costs[index]
    return chosen


def total_memory(device: "torch.device") -> int:
    """Bytes of memory that the device, or this machine, has; 0 where the system does not tell."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
