"""One optimizer step: the gradient as it is defined, however the step is cut into micro-batches.

The loss of a step is sum(w * l) / sum(w) over all comparisons of its records. Micro-batches only bound memory: their
losses are divided by the step's whole weight before backward, so any cut gives the same gradient.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import TrainingError
from rewardsmith.model.batches import cost, micro_batches
from rewardsmith.model.network import RewardNetwork
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
) -> StepFigures:
    """Add the step's gradient to the parameters; returns what the step showed.

    `scale` multiplies the loss before backward (fp16 needs that; the caller takes it out again). Raises TrainingError
    naming the rows if a loss is not finite.
    """
    total = float(sum(example.weight.sum() for example in examples))
    losses, margins, rewards, tokens = 0.0, [], [], 0
    for group in micro_batches([example.tree for example in examples], budget, packed=network.packed):
        chosen = [examples[index] for index in group]
        batch = network.collate([example.tree for example in chosen])
        scores = network(batch, keep=dropout.masks(chosen, network.head.in_features, network.device))
        columns = comparison_columns(chosen, network.device)
        preferred, other = scores[columns.preferred], scores[columns.other]
        values = loss(preferred, other, columns.preference)
        part = (columns.weight * values).sum() / total
        if not torch.isfinite(part):
            raise TrainingError(not_finite(chosen, columns, values))
        torch.autograd.backward(scale(part))
        losses += part.item()
        margins.append((preferred - other).detach())
        rewards.append(scores.detach())
        tokens += sum(cost(example.tree, packed=network.packed) for example in chosen)
    margin, reward = torch.cat(margins), torch.cat(rewards)
    return StepFigures(
        loss=losses,
        accuracy=((margin > 0).float() + 0.5 * (margin == 0).float()).mean().item(),
        margin=margin.mean().item(),
        reward_mean=reward.mean().item(),
        reward_std=reward.std(correction=0).item(),
        comparisons=len(margin),
        tokens=tokens,
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
