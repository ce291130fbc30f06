"""Which learning rate: a range test, and the rules that read its curve.

The rate grows exponentially from step to step while the loss is watched: it stays where it is while the rate is too small,
falls, and rises where the rate is too large (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section
3.3; exponential growth, smoothing and the rules as in fastai, `callback/schedule.py`). The network is changed: give a copy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from rewardsmith.errors import TrainingError
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.scorer import score
from rewardsmith.progress import Task
from rewardsmith.train.engines.engine import Engine
from rewardsmith.train.examples import Example, steps_of_epoch
from rewardsmith.train.held_out import objective
from rewardsmith.train.losses.loss import Loss
from rewardsmith.train.masks import Dropout
from rewardsmith.train.optimizer import make_optimizer
from rewardsmith.train.step import add_gradient

TOO_MANY_TIMES = 4.0
"""The test ends where the smoothed loss is so many times its first value (fastai: its lowest, which may be 0 here)."""
WIDTH = 1 / 25
"""Standard deviation of the smoothing kernel as a share of the steps."""
FEW = 10
"""Steps before which the test does not end."""
SURE = 3.0
"""A fall counts from so many standard errors of the smoothed loss on."""


@dataclass(frozen=True)
class RangeSettings:
    """A test from `low` to `high` in at most `steps` steps of `batch` records; the other settings as in training."""

    low: float
    high: float
    steps: int
    batch: int
    weight_decay: float
    clip: float
    dropout: float
    seed: int
    tokens_per_microbatch: int


@dataclass(frozen=True)
class RangeTest:
    """The rate of each step, the loss of its records before it, and what their loss was before the first step."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    starts: tuple[float, ...]

    @property
    def curve(self) -> Float[np.ndarray, " S"]:
        """The loss over the steps, without what makes one step's records harder than another's."""
        starts = np.array(self.starts)
        return np.asarray(np.array(self.losses) - starts + starts.mean())

    @property
    def smoothed(self) -> Float[np.ndarray, " S"]:
        """The curve under a kernel of WIDTH."""
        return smooth(self.curve, WIDTH * len(self.rates))

    @property
    def learned(self) -> bool:
        """Whether any rate lowered the loss beyond its noise."""
        return bool(self.smoothed.min() < self.smoothed[0] - SURE * noise_of(self.curve))

    def suggestions(self) -> dict[str, float]:
        """The rate that each rule chooses: steepest, valley, minimum; the first two look before the lowest value only."""
        smoothed, rates = self.smoothed, np.array(self.rates)
        lowest = int(smoothed.argmin())
        fall = smoothed[: lowest + 1]
        return {
            "steepest": float(rates[steepest(fall)]),
            "valley": float(rates[valley(fall)]),
            "minimum": float(rates[lowest]) / 10,
        }


def smooth(values: Float[np.ndarray, " S"], width: float) -> Float[np.ndarray, " S"]:
    """Each value as the mean of its neighbours under a Gaussian of `width` steps, the ends among those that are there.

    Centred, unlike the moving average of fastai, which lags behind the rate by tens of steps.
    """
    places = np.arange(len(values))
    kernel = np.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
    return np.asarray(kernel @ values / kernel.sum(axis=1))


def noise_of(curve: Float[np.ndarray, " S"]) -> float:
    """Standard error of a smoothed value: that of one value, from the differences of neighbours, over the root of how many
    the kernel joins, 2 sqrt(pi) width."""
    alone = float(np.std(np.diff(curve))) / math.sqrt(2) if len(curve) > 2 else 0.0
    return alone / math.sqrt(max(1.0, 2 * math.sqrt(math.pi) * WIDTH * len(curve)))


def valley(curve: Float[np.ndarray, " S"]) -> int:
    """The middle of the longest fall: of the longest subsequence in which every value is below the one before.

    fastai's rule of that name: the fall begins as many steps before its end as it has values, and a third and half a
    third of it are gone where the rate is taken.
    """
    length = np.ones(len(curve), dtype=int)
    for k in range(1, len(curve)):
        longer = length[:k][curve[k] < curve[:k]]
        length[k] = 1 + (longer.max() if longer.size else 0)
    end = int(length.argmax())
    start = max(0, end - int(length[end]))
    third = (end - start) / 3
    return start + int(third) + int(third / 2)


def steepest(fall: Float[np.ndarray, " S"]) -> int:
    """Where the loss falls fastest per factor of the rate."""
    return int(np.gradient(fall).argmin()) if len(fall) > 1 else 0


def run_range_test(
    network: RewardNetwork, examples: Sequence[Example], loss: Loss, settings: RangeSettings, task: Task
) -> RangeTest:
    """Train with a rate that grows from step to step; TrainingError where even the first loss is not finite."""
    engine = Engine(network)
    optimizer = make_optimizer(network, lr=settings.low, weight_decay=settings.weight_decay)
    scaler = torch.amp.GradScaler(network.device.type, enabled=network.autocast is torch.float16)
    factor = (settings.high / settings.low) ** (1 / max(1, settings.steps - 1))
    steps = batches(examples, settings)
    starts = [start_of(network, chosen, loss, settings.tokens_per_microbatch) for chosen in steps]
    rates: list[float] = []
    losses: list[float] = []
    network.train()
    for number, chosen in enumerate(steps):
        rate = settings.low * factor**number
        for group in optimizer.param_groups:
            group["lr"] = rate
        dropout = Dropout(settings.dropout, settings.seed, number)
        seen = add_gradient(
            network, chosen, loss, dropout=dropout, budget=settings.tokens_per_microbatch, scale=scaler.scale,
            engine=engine,
        )  # fmt: skip
        clipped = engine.clip(optimizer, scaler, settings.clip)
        try:
            figures, (norm,) = seen.read(engine.team, clipped)
        except TrainingError:  # beyond the rates that can be used
            break
        rates.append(rate)
        losses.append(figures.loss)
        task.advance(1, loss=figures.loss)
        if too_high(losses) or not math.isfinite(engine.update(optimizer, scaler, norm)):
            break
    if not rates:
        raise TrainingError(f"the loss is not finite before the first step, at --lr {settings.low:g}; check the model")
    return RangeTest(tuple(rates), tuple(losses), tuple(starts[: len(rates)]))


def start_of(network: RewardNetwork, examples: Sequence[Example], loss: Loss, budget: int) -> float:
    """The loss of a step's records under the weights as they are; 0 for a loss that sees more than rewards."""
    if loss.couples or loss.wide or loss.text is not None:
        return 0.0
    rewards = np.concatenate(list(score(network, [example.sequences for example in examples], budget=budget)))
    return objective(loss, examples, rewards)


def batches(examples: Sequence[Example], settings: RangeSettings) -> list[list[Example]]:
    """The records of every step, in as many epochs as it takes."""
    found: list[list[Example]] = []
    for epoch in range(settings.steps):
        if len(found) >= settings.steps:
            break
        order = steps_of_epoch(examples, epoch=epoch, seed=settings.seed, batch=settings.batch)
        found += [[examples[k] for k in indices] for indices in order]
    return found[: settings.steps]


def too_high(losses: Sequence[float]) -> bool:
    """Whether the loss has left its valley."""
    if len(losses) < FEW:
        return False
    curve = smooth(np.array(losses), WIDTH * len(losses))
    return bool(curve[-1] > TOO_MANY_TIMES * curve[0])
