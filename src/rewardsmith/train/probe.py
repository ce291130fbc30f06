"""A head to start from: fitted on the features of the untrained backbone, before any layer learns.

A random head sends random gradients into the layers below in the first steps and distorts what they had learned, which
costs most on prompts unlike those of training. Fitting the head first avoids that: "linear probing, then fine-tuning"
(Kumar et al. 2022, arXiv 2202.10054). It takes one forward pass over the training records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from rewardsmith.evaluate.folds import fold_count, folds_of_clusters
from rewardsmith.evaluate.metrics import accuracy, nll
from rewardsmith.model.network import RewardNetwork
from rewardsmith.model.scorer import Sequences, features
from rewardsmith.model.team import ALONE, Team
from rewardsmith.progress import SILENT, Progress
from rewardsmith.train.engines import cut_like
from rewardsmith.train.examples import Example, rank_by_hash

PENALTIES = (10.0, 1.0, 0.1, 0.01, 0.001)
"""L2 penalties to choose from, per unit of mean loss and on features of unit spread."""
DEFAULT_PENALTY = 0.1
"""Taken where all comparisons are about one prompt."""
LIMIT = 20_000
"""Comparisons that the head is fitted on at most; it has one weight per hidden unit, and more change little."""


@dataclass(frozen=True)
class ProbeFigures:
    """How the fitted head does before training: the penalty chosen, and loss and accuracy on validation (None: none)."""

    penalty: float
    comparisons: int
    eval_loss: float | None
    eval_accuracy: float | None


@dataclass(frozen=True)
class Differences:
    """Pooled features of the preferred response minus those of the other, and what judges said."""

    x: Float[np.ndarray, "C H"]
    preference: Float[np.ndarray, " C"]
    weight: Float[np.ndarray, " C"]
    cluster: Int[np.ndarray, " C"]
    """A number per prompt."""

    def part(self, rows: Bool[np.ndarray, " C"]) -> "Differences":
        """Some of the comparisons."""
        return Differences(self.x[rows], self.preference[rows], self.weight[rows], self.cluster[rows])


def fit_head(
    network: RewardNetwork,
    train: Sequence[Example],
    validation: Sequence[Example],
    *,
    budget: int,
    seed: int,
    progress: Progress = SILENT,
    team: Team = ALONE,
) -> ProbeFigures:
    """Replace the head's weights by those of a Bradley-Terry model that is linear in the backbone's pooled features.

    The penalty is the one with the smallest loss in cross-validation over the prompts of `train`, and not on
    `validation`, which may be few prompts; `validation` only tells how the head does. A bias, which no comparison can
    see, stays.
    """
    known = differences(network, limited(train, seed=seed), budget, progress, team)
    spread = known.x.std(axis=0, dtype=np.float64).astype(np.float32) + 1e-6
    scaled = replace(known, x=known.x / spread)

    def fitted() -> tuple[float, Float[np.ndarray, " H"]]:
        penalty = chosen_penalty(scaled, seed=seed)
        return penalty, fit_linear(scaled, penalty) / spread

    penalty, weights = team.from_lead(fitted)
    set_head(network, weights)
    if not validation:
        return ProbeFigures(penalty, len(known.x), None, None)
    held = differences(network, validation, budget, progress, team)
    margin = held.x @ weights
    loss, right = (measure(margin, held.preference, weight=held.weight) for measure in (nll, accuracy))
    return ProbeFigures(penalty, len(known.x), loss, right)


def chosen_penalty(data: Differences, *, seed: int) -> float:
    """The penalty with the smallest cross-validated loss, prompts kept together; the default where there is one prompt."""
    folds = fold_count(data.cluster)
    if folds < 2:
        return DEFAULT_PENALTY
    fold = folds_of_clusters(data.cluster, seed=seed, folds=folds)
    margins = np.zeros((len(PENALTIES), len(data.x)))
    for number in range(folds):
        inside = fold == number
        train, start = data.part(~inside), np.zeros(data.x.shape[1])
        for index, penalty in enumerate(PENALTIES):  # strong to weak, each from the last: the path is short
            start = fit_linear(train, penalty, start)
            margins[index, inside] = data.x[inside] @ start
    losses = [nll(margin, data.preference, weight=data.weight) for margin in margins]
    return PENALTIES[int(np.argmin(losses))]


def limited(examples: Sequence[Example], *, seed: int) -> list[Example]:
    """Examples with at most LIMIT comparisons in all, the same on every machine."""
    chosen: list[Example] = []
    comparisons = 0
    for index in rank_by_hash((example.id for example in examples), salt=f"{seed}:probe"):
        comparisons += len(examples[index].preferred)
        if chosen and comparisons > LIMIT:
            break
        chosen.append(examples[index])
    return chosen


def differences(
    network: RewardNetwork, examples: Sequence[Example], budget: int, progress: Progress, team: Team = ALONE
) -> Differences:
    """Feature differences of all comparisons, (C, H) in fp32; the network is left as it was."""
    sequences = [Sequences(example.prompt_id, tuple(example.tree.sequences)) for example in examples]
    ids = {prompt: number for number, prompt in enumerate(sorted({example.prompt_id for example in examples}))}
    rows = []
    with progress.task("fitting the head", len(examples), "records") as task:
        for example, values in zip(examples, features(network, sequences, budget=budget, team=team), strict=True):
            rows.append(values[example.preferred] - values[example.other])
            task.advance()
    return Differences(
        np.concatenate(rows),
        np.concatenate([example.preference for example in examples]).astype(np.float64),
        np.concatenate([example.weight for example in examples]).astype(np.float64),
        np.concatenate([np.full(len(example.preferred), ids[example.prompt_id]) for example in examples]),
    )


def fit_linear(
    data: Differences, penalty: float, start: Float[np.ndarray, " H"] | None = None
) -> Float[np.ndarray, " H"]:
    """Weights b that minimise mean_w[-p log s(x b) - (1 - p) log s(-x b)] + penalty / 2 |b|^2, s the logistic function.

    Bradley & Terry 1952 with x as the difference of features; convex, so the start decides nothing but the time.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    share = data.weight / data.weight.sum()

    def objective(b: Float[np.ndarray, " H"]) -> tuple[float, Float[np.ndarray, " H"]]:
        margin = (data.x @ b.astype(np.float32)).astype(np.float64)
        loss = share @ (np.logaddexp(0, -margin) + (1 - data.preference) * margin)
        slope = share * (expit(margin) - data.preference)
        gradient = (slope.astype(np.float32) @ data.x).astype(np.float64) + penalty * b
        return float(loss + 0.5 * penalty * b @ b), gradient

    first = np.zeros(data.x.shape[1]) if start is None else start
    return np.asarray(minimize(objective, first, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)


def set_head(network: RewardNetwork, weights: Float[np.ndarray, " H"]) -> None:
    """Write the weights into the head."""
    with torch.no_grad():
        value = torch.from_numpy(weights)[None].to(network.head.weight.dtype)
        network.head.weight.copy_(cut_like(value, network.head.weight))
