"""One recipe minus another, each trained with several seeds and all judged on the same comparisons.

A difference that is to speak about recipes has two sources of chance: which prompts were judged, and which seeds were drawn.
The variance is the sum of both: that of the mean difference between prompts, and s_A^2 / k_A + s_B^2 / k_B for k seeds with
standard deviation s. Its degrees of freedom are those of Welch (1947) and Satterthwaite (1946). What a seed does to single
prompts is in both parts, so the sum is on the side of caution (crossed effects: Owen 2007, Annals of Applied Statistics 1).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.inference.clustered import ClusteredMean, paired_difference
from rewardsmith.evaluate.inference.interval import Interval


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """The mean accuracy of the first recipe's runs minus that of the second's, in [-1, 1].

    `prompts` is the paired difference with its variance between prompts, `first` and `second` the accuracy of each run.
    """

    prompts: ClusteredMean
    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def value(self) -> float:
        """The difference as measured."""
        return self.prompts.value

    @property
    def clusters(self) -> int:
        """Prompts that it rests on."""
        return self.prompts.clusters

    @property
    def seed_error(self) -> float:
        """The standard deviation of the difference over other seeds, on the same prompts."""
        return math.sqrt(sum(variance_of_mean(runs) for runs in (self.first, self.second)))

    @property
    def standard_error(self) -> float:
        """The standard deviation of the difference over other prompts and other seeds."""
        return math.hypot(self.prompts.standard_error, self.seed_error)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of its square (Satterthwaite): V^2 / sum of v^2 / d over the parts v of V."""
        parts = [(self.prompts.standard_error**2, self.prompts.n)]
        parts += [(variance_of_mean(runs), len(runs) - 1) for runs in (self.first, self.second)]
        return self.standard_error**4 / sum(part**2 / own for part, own in parts)

    def interval(self, level: float = 0.95) -> Interval:
        """Centre -+ t(level) standard errors, cut to [-1, 1]; it contains the value."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees, (1 + level) / 2)) * self.standard_error
        low, high = max(-1.0, self.prompts.centre - half), min(1.0, self.prompts.centre + half)
        return Interval(min(low, self.value), max(high, self.value), "t", self.clusters, self.standard_error)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the true difference being `null`: 1 - the level at which the interval touches it."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees, -abs(self.prompts.centre - null) / self.standard_error))


def variance_of_mean(runs: tuple[float, ...]) -> float:
    """s^2 / k of the accuracies of k runs."""
    return float(np.var(runs, ddof=1)) / len(runs)


def seed_difference(
    first: Float[np.ndarray, "A N"],
    second: Float[np.ndarray, "B N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
) -> SeedDifference:
    """From how right each run is on each comparison, in [0, 1]; each recipe needs two runs or more."""
    found = paired_difference(first.mean(axis=0), second.mean(axis=0), weight, cluster=cluster)
    one, two = (tuple(np.average(side, axis=1, weights=weight).tolist()) for side in (first, second))
    return SeedDifference(found, one, two)
