"""How many tokens a forward pass takes: tried on this device with this model, remembered for the next run.

A step is cut into micro-batches of at most that many tokens. The cut never changes what is learned, only rounding, speed
and memory; the speed depends on caches, kernels and memory in ways that nobody can tell beforehand.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import torch

from rewardsmith.files import write_json
from rewardsmith.files.places import models_folder
from rewardsmith.model.forward.batches import cost
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.model.scorer import DEFAULT_BUDGET
from rewardsmith.train.examples import Example, steps_of_epoch
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.step import accumulate

CANDIDATES = {
    "cpu": (1024, 2048, 4096, 8192),
    "mps": (2048, 4096, 8192, 16384),
    "cuda": (8192, 16384, 32768, 65536, 131072),
}
WORTH = 10_000_000  # parameters in the layers from which on a calibration tells more than noise
RUNS = 2  # of each candidate; the faster one counts
WITHIN = 0.97  # of the best speed: the smallest such budget is taken, since it needs the least memory
SHARE = 0.02  # of the run's tokens that a calibration may cost
KEPT = 64  # results remembered


@dataclass(frozen=True)
class Budget:
    """Tokens per forward pass, and tokens per second at each that was tried ({}: none was, the default is used)."""

    tokens: int
    tried: Mapping[int, float]

    @property
    def told(self) -> str:
        """One line for a person, "" where nothing was tried."""
        speeds = ", ".join(f"{tokens}: {speed:.0f}" for tokens, speed in sorted(self.tried.items()))
        return f"micro-batches of {self.tokens} tokens (tokens per second at {speeds})" if speeds else ""


def find_budget(network: RewardNetwork, examples: Sequence[Example], *, batch: int, steps: int) -> Budget:
    """The budget for `steps` optimizer steps of `batch` records: remembered, else measured where that pays."""
    device = network.device.type
    default = Budget(DEFAULT_BUDGET.get(device, DEFAULT_BUDGET["cpu"]), {})
    if not worth_it(network, examples, batch=batch, steps=steps):
        return default
    store, key = models_folder().parent / "budgets.json", key_of(network)
    known = remembered(store)
    if key in known:
        return Budget(known[key], {})
    found = calibrate(network, step_of(examples, batch))
    with contextlib.suppress(OSError):  # a folder that cannot be written costs the next run its calibration
        store.parent.mkdir(parents=True, exist_ok=True)
        write_json(store, dict([*known.items(), (key, found.tokens)][-KEPT:]))
    return found


def worth_it(network: RewardNetwork, examples: Sequence[Example], *, batch: int, steps: int) -> bool:
    """Whether a calibration pays: a model of some size, a long run, in one process, and steps that can be cut at all."""
    head_only = not any(p.requires_grad for p in network.hf.base_model.parameters())  # its texts are computed once
    if head_only or int(os.environ.get("WORLD_SIZE", "1")) > 1 or len(examples) < batch:
        return False
    weights = sum(p.numel() for layer in layer_stack(network.hf.base_model) for p in layer.parameters())
    tokens = sum(cost(examples[index].tree, packed=network.packed) for index in step_of_indices(examples, batch))
    candidates = cuts(network.device.type, tokens)
    tries = 1 + RUNS * len(candidates)
    return weights >= WORTH and len(candidates) > 1 and tries <= SHARE * steps


def cuts(device: str, tokens: int) -> list[int]:
    """Candidates that cut a step of so many tokens differently: up to the first that holds it whole."""
    every = CANDIDATES.get(device, CANDIDATES["cpu"])
    return [size for k, size in enumerate(every) if k == 0 or every[k - 1] < tokens]


def step_of_indices(examples: Sequence[Example], batch: int) -> list[int]:
    """The records of the first step whose tokens are the median of the epoch's first nine: a typical one."""
    steps = [step for step in steps_of_epoch(examples, epoch=0, seed=0, batch=batch) if len(step) == batch][:9]
    return sorted(steps, key=lambda step: sum(examples[index].tree.tokens for index in step))[len(steps) // 2]


def step_of(examples: Sequence[Example], batch: int) -> list[Example]:
    """A typical step."""
    return [examples[index] for index in step_of_indices(examples, batch)]


def calibrate(network: RewardNetwork, step: Sequence[Example]) -> Budget:
    """Compute the step's gradient at every candidate; weights and random numbers stay what they were.

    A candidate that does not fit into a GPU's memory ends the search.
    """
    tokens = sum(cost(example.tree, packed=network.packed) for example in step)
    was_training = network.training
    network.train()
    tried: dict[int, float] = {}
    try:
        with torch.random.fork_rng():
            seconds_of(network, step, DEFAULT_BUDGET["cpu"])  # the warm-up
            for budget in cuts(network.device.type, tokens):
                seconds = min(seconds_of(network, step, budget) for _ in range(RUNS))
                tried[budget] = tokens / seconds
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
    finally:
        network.zero_grad(set_to_none=True)
        network.train(was_training)
    if not tried:
        return Budget(min(CANDIDATES.get(network.device.type, CANDIDATES["cpu"])), {})
    return Budget(fastest(tried), tried)


def fastest(tried: Mapping[int, float]) -> int:
    """The smallest budget that is as good as the fastest."""
    return min(budget for budget, speed in tried.items() if speed >= WITHIN * max(tried.values()))


def seconds_of(network: RewardNetwork, step: Sequence[Example], budget: int) -> float:
    """Time of one gradient; the figures at its end are numbers, so the device has finished."""
    network.zero_grad(set_to_none=True)
    started = time.perf_counter()
    accumulate(network, step, LOSSES["bradley-terry"], dropout=Dropout(0.0, 0, 0), budget=budget)
    return time.perf_counter() - started


def key_of(network: RewardNetwork) -> str:
    """Everything that decides the speed: device, model, precision, what learns, threads, version of torch."""
    device = network.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    facts = [
        name,
        torch.__version__,
        torch.get_num_threads(),
        str(network.autocast),
        network.packed,
        network.offload,
        any(getattr(module, "gradient_checkpointing", False) for module in network.hf.modules()),
        sum(p.numel() for p in network.parameters() if p.requires_grad),
        network.hf.config.to_json_string(use_diff=False),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def remembered(store: Path) -> dict[str, int]:
    """What earlier runs found; a file that is not there or damaged is as good as an empty one."""
    try:
        known = orjson.loads(store.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: tokens for key, tokens in known.items() if isinstance(tokens, int) and tokens > 0}
