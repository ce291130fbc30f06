"""A head to start from: fitted on the features of the untrained backbone, before any layer learns.

A random head sends random gradients into the layers below in the first steps and distorts what they had learned, which
costs most on prompts unlike those of training. Fitting the head first avoids that: "linear probing, then fine-tuning"
(Kumar et al. 2022, arXiv 2202.10054). It takes one forward pass over the training records.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from rewardsmith.evaluate.metrics import accuracy, nll
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.model.scorer import features
from rewardsmith.progress import SILENT, Progress
from rewardsmith.train.engines.shards import put
from rewardsmith.train.examples import Example, rank_by_hash
from rewardsmith.train.fitting.bagging import Agreement, agreement_of, fit_members
from rewardsmith.train.fitting.linear import PairFeatures, Weights, fit_all

LIMIT = 20_000
"""Comparisons that the head is fitted on at most; it has one weight per hidden unit, and more change little."""


@dataclass(frozen=True)
class ProbeFigures:
    """How the fitted head does before training: the penalty chosen, the mean loss on the comparisons that it was fitted to,
    and loss and accuracy on validation (None: none). `members` are the heads that it is the mean of, if it is one, and
    `agreement` says how they do on validation.
    """

    penalty: float
    comparisons: int
    loss: float
    eval_loss: float | None
    eval_accuracy: float | None
    members: Float[np.ndarray, "M F"] | None = None
    agreement: Agreement | None = None


def fit_head(
    network: RewardNetwork,
    train: Sequence[Example],
    validation: Sequence[Example],
    *,
    budget: int,
    seed: int,
    heads: int = 1,
    progress: Progress = SILENT,
    team: Team = ALONE,
) -> ProbeFigures:
    """Replace the head's weights by those of a Bradley-Terry model that is linear in the backbone's pooled features.

    The penalty is the one with the smallest loss in cross-validation over the prompts of `train`, and not on
    `validation`, which may be few prompts; `validation` only tells how the head does. A bias, which no comparison can
    see, stays. With `heads` above 1 the head is the mean of as many, each fitted to a sample (see `train.bagging`).
    """
    known = pair_features(network, limited(train, seed=seed), budget, progress, team)
    single, penalty, data, back = fit_all(known, seed=seed)
    members = fit_members(data, back, penalty, count=heads, seed=seed) if heads > 1 else None
    weights = single if members is None else members.mean(axis=0)
    set_head(network, weights)
    fitted = nll(known.margins(weights), known.preference, weight=known.weight)
    if not validation:
        return ProbeFigures(penalty, len(known.preferred), fitted, None, None, members)
    held = pair_features(network, validation, budget, progress, team)
    margin = held.margins(weights)
    loss, right = (measure(margin, held.preference, weight=held.weight) for measure in (nll, accuracy))
    told = None if members is None else agreement_of(members, single, held)
    return ProbeFigures(penalty, len(known.preferred), fitted, loss, right, members, told)


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


def pair_features(
    network: RewardNetwork, examples: Sequence[Example], budget: int, progress: Progress, team: Team = ALONE
) -> PairFeatures:
    """Features of every distinct text and the comparisons between them; the network is left as it was."""
    sequences = [example.sequences for example in examples]
    places: dict[bytes, int] = {}
    rows: list[np.ndarray] = []
    left, right = [], []
    with progress.task("fitting the head", len(examples), "records") as task:
        found = features(network, sequences, budget=budget, team=team)
        for example, record, values in zip(examples, sequences, found, strict=True):
            at = [places.setdefault(text.key, len(places)) for text in record.texts()]
            rows += [values[k] for k, place in enumerate(at) if place >= len(rows) and at.index(place) == k]
            left.append(np.array(at)[example.preferred])
            right.append(np.array(at)[example.other])
            task.advance()
    return PairFeatures(
        np.stack(rows),
        np.concatenate(left),
        np.concatenate(right),
        np.concatenate([example.preference for example in examples]).astype(np.float64),
        np.concatenate([example.weight for example in examples]).astype(np.float64),
        prompt_numbers(examples),
    )


def prompt_numbers(examples: Sequence[Example]) -> np.ndarray:
    """For every comparison of the examples the number of its prompt, counted in sorted order."""
    numbers = {prompt: number for number, prompt in enumerate(sorted({example.prompt_id for example in examples}))}
    return np.concatenate([np.full(len(example.preferred), numbers[example.prompt_id]) for example in examples])


def set_head(network: RewardNetwork, weights: Weights) -> None:
    """Write the weights into the head."""
    put(network.head.weight, torch.from_numpy(weights)[None].to(network.head.weight.dtype))
