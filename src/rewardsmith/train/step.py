"""One optimizer step: the gradient as it is defined, however the step is cut into micro-batches.

The loss of a step is sum(w * l) / sum(w) over all comparisons of its records. Micro-batches only bound memory: their
losses are divided by the step's whole weight before backward, so any cut gives the same gradient. Several processes
share the records; each knows the whole step, and so its weight and how many passes the others make.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import TrainingError
from rewardsmith.model.batches import cost, micro_batches
from rewardsmith.model.network import RewardNetwork
from rewardsmith.model.team import Team
from rewardsmith.train.engines import Engine, deal
from rewardsmith.train.examples import Example
from rewardsmith.train.losses import Loss


@dataclass(frozen=True)
class StepFigures:
    """What one step showed: loss, share of comparisons won (ties half), mean margin, mean and spread of rewards."""

    loss: float
    accuracy: float
    margin: float
    reward_mean: float
    reward_std: float
    comparisons: int
    tokens: int


@dataclass(frozen=True)
class Dropout:
    """Head dropout at `rate`; every mask hangs on (seed, epoch, record id, response), never on the order of calls."""

    rate: float
    seed: int
    epoch: int

    def masks(self, examples: Sequence[Example], width: int, device: torch.device) -> Float[Tensor, "R H"] | None:
        """One mask per response, scaled by 1 / (1 - rate); None at rate 0."""
        if self.rate <= 0:
            return None
        rows = [
            np.random.default_rng(self._seed_of(example, k)).random(width, dtype=np.float32) >= self.rate
            for example in examples
            for k in range(example.responses)
        ]
        return torch.from_numpy(np.stack(rows)).to(device=device, dtype=torch.float32) / (1 - self.rate)

    def _seed_of(self, example: Example, response: int) -> int:
        text = f"{self.seed}:{self.epoch}:{example.id}:{response}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def unscaled(loss: Tensor) -> Tensor:
    """The loss as it is."""
    return loss


def accumulate(
    network: RewardNetwork,
    examples: Sequence[Example],
    loss: Loss,
    *,
    dropout: Dropout,
    budget: int,
    scale: Callable[[Tensor], Tensor] = unscaled,
    engine: Engine | None = None,
) -> StepFigures:
    """Add the step's gradient to the parameters; returns what the step showed, the same in every process.

    `examples` are the whole step's, of which each process of the engine's team computes its part. `scale` multiplies
    the loss before backward (fp16 needs that; the caller takes it out again). Raises TrainingError naming the rows if
    a loss is not finite, in every process.
    """
    engine = engine or Engine(network)
    total = float(sum(example.weight.sum() for example in examples))
    own = Part()
    passes, idle = passes_of(network, examples, budget, engine.team)
    for number, chosen in enumerate([*passes, *idle], start=1):
        counts = number <= len(passes)
        with engine.passing(last=number == len(passes) + len(idle)):
            batch = network.collate([example.tree for example in chosen])
            scores = engine.rewards(batch, dropout.masks(chosen, network.head.in_features, network.device))
            columns = comparison_columns(chosen, network.device)
            preferred, other = scores[columns.preferred], scores[columns.other]
            values = loss(preferred, other, columns.preference)
            part = (columns.weight * values).sum() / total * counts
            if counts and not torch.isfinite(part):
                own.problem = own.problem or not_finite(chosen, columns, values)
                if engine.team.size == 1:
                    break
            engine.backward(scale(part * engine.weight))
        if counts:
            own.add(part, preferred - other, scores)
            own.tokens += sum(cost(example.tree, packed=network.packed) for example in chosen)
    return figures_of(engine.team.gather(own))


@dataclass
class Part:
    """What one process saw of a step; `problem` names rows whose loss is not finite."""

    loss: float = 0.0
    margins: list[Tensor] = field(default_factory=list)
    rewards: list[Tensor] = field(default_factory=list)
    tokens: int = 0
    problem: str = ""

    def add(self, loss: Tensor, margins: Float[Tensor, " C"], rewards: Float[Tensor, " R"]) -> None:
        """Note what a pass showed."""
        self.loss += loss.item()
        self.margins.append(margins.detach().cpu())
        self.rewards.append(rewards.detach().cpu())


def passes_of(
    network: RewardNetwork, examples: Sequence[Example], budget: int, team: Team
) -> tuple[list[list[Example]], list[list[Example]]]:
    """The micro-batches of this process, and those that count nothing, which it makes until all have made as many."""
    plans = []
    for hand in deal(examples, team.size, packed=network.packed):
        groups = micro_batches([example.tree for example in hand], budget, packed=network.packed)
        plans.append([[hand[index] for index in group] for group in groups])
    most = max(map(len, plans))
    shortest = min(examples, key=lambda example: cost(example.tree, packed=network.packed))
    return plans[team.rank], [[shortest]] * (most - len(plans[team.rank]))


def figures_of(parts: Sequence[Part]) -> StepFigures:
    """The step's figures from those of all processes; TrainingError where one met a loss that is not finite."""
    if problem := next((part.problem for part in parts if part.problem), ""):
        raise TrainingError(problem)
    margin = torch.cat([margins for part in parts for margins in part.margins])
    reward = torch.cat([rewards for part in parts for rewards in part.rewards])
    return StepFigures(
        loss=sum(part.loss for part in parts),
        accuracy=((margin > 0).float() + 0.5 * (margin == 0).float()).mean().item(),
        margin=margin.mean().item(),
        reward_mean=reward.mean().item(),
        reward_std=reward.std(correction=0).item(),
        comparisons=len(margin),
        tokens=sum(part.tokens for part in parts),
    )


@dataclass(frozen=True)
class Columns:
    """The comparisons of several examples, response indices counted over the whole micro-batch."""

    preferred: Tensor
    other: Tensor
    preference: Float[Tensor, " C"]
    weight: Float[Tensor, " C"]


def comparison_columns(examples: Sequence[Example], device: torch.device) -> Columns:
    """Stack the comparisons of a micro-batch."""
    offsets = np.cumsum([0, *(example.responses for example in examples)])[:-1]

    def stacked(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(arrays)).to(device)

    pairs = list(zip(examples, offsets, strict=True))
    return Columns(
        preferred=stacked([example.preferred + offset for example, offset in pairs]),
        other=stacked([example.other + offset for example, offset in pairs]),
        preference=stacked([example.preference for example in examples]),
        weight=stacked([example.weight for example in examples]),
    )


def not_finite(examples: Sequence[Example], columns: Columns, values: Float[Tensor, " C"]) -> str:
    """Name the rows whose loss is NaN or infinite."""
    places = [example.place for example in examples for _ in example.preferred]
    bad = [place for place, value in zip(places, values.tolist(), strict=True) if not np.isfinite(value)]
    return f"the loss is not finite on {len(bad)} comparisons, first at {', '.join(bad[:3])}"
