"""Heads that are fitted to bootstrap samples of the prompts (bagging, Breiman 1996), and how far they agree.

A prompt is drawn with all of its comparisons, since they are not independent of each other. All heads take the penalty that
cross-validation chose on the whole training data; a fitted head has no other chance in it than its sample.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.errors import TrainingError
from rewardsmith.evaluate.metrics import accuracy, decided
from rewardsmith.train.fitting.linear import Differences, PairFeatures, Weights, fit_linear


@dataclass(frozen=True)
class Agreement:
    """How the heads do on held-out comparisons: the accuracy of each, of their mean, and of the one head that was fitted to
    all of the data; `agreement` is the mean share of comparisons on which two of them prefer the same response. All of it
    is about the `comparisons` without a label tie.
    """

    count: int
    accuracies: tuple[float, ...]
    accuracy_of_mean: float
    accuracy_of_single: float
    agreement: float
    comparisons: int

    def told(self) -> str:
        """In one line."""
        return (
            f"{self.count} heads on {self.comparisons} held-out comparisons: accuracy {min(self.accuracies):.4f} to "
            f"{max(self.accuracies):.4f}; their mean {self.accuracy_of_mean:.4f}; one head fitted on all comparisons "
            f"{self.accuracy_of_single:.4f}; pairwise agreement {self.agreement:.4f}"
        )


def draws(clusters: int, *, seed: int, member: int) -> Int[np.ndarray, " P"]:
    """How often each of `clusters` prompts is in the member's sample: as many draws as prompts, with replacement."""
    digest = hashlib.sha256(f"{seed}:head:{member}".encode()).digest()
    drawn = np.random.default_rng(int.from_bytes(digest[:8], "big")).integers(0, clusters, clusters)
    return np.bincount(drawn, minlength=clusters)


def sample(data: Differences, *, seed: int, member: int) -> Differences:
    """The comparisons of the prompts that the member draws, their weights times how often they were drawn."""
    times = draws(int(data.cluster.max()) + 1, seed=seed, member=member)[data.cluster]
    drawn = data.part(times > 0)
    return replace(drawn, weight=drawn.weight * times[times > 0])


def fit_members(
    data: Differences, back: Callable[[Weights], Weights], penalty: float, *, count: int, seed: int
) -> Float[np.ndarray, "M F"]:
    """The weights of `count` heads, each fitted to its sample; TrainingError where there is one prompt only."""
    if len(np.unique(data.cluster)) < 2:
        raise TrainingError(
            "--members resamples prompts, but all training comparisons have the same prompt; remove --members"
        )
    return np.stack([back(fit_linear(sample(data, seed=seed, member=member), penalty)) for member in range(count)])


def agreement_of(members: Float[np.ndarray, "M F"], single: Weights, held: PairFeatures) -> Agreement:
    """How the heads do on comparisons that none of them was fitted to."""
    margins = [held.margins(weights) for weights in members]

    def right(margin: Float[np.ndarray, " C"]) -> float:
        return accuracy(margin, held.preference, weight=held.weight)

    counted = decided(held.preference)
    pairs = [float(np.mean((np.sign(a) == np.sign(b))[counted])) for a, b in combinations(margins, 2)]
    return Agreement(
        count=len(members),
        accuracies=tuple(map(right, margins)),
        accuracy_of_mean=right(np.mean(margins, axis=0)),
        accuracy_of_single=right(held.margins(single)),
        agreement=float(np.mean(pairs)),
        comparisons=int(counted.sum()),
    )
