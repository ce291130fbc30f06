"""An interval, its words of one meaning, and Wilson's, which needs a share and a number of trials only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

FEW_CLUSTERS = 30
"""Under so many prompts a set is too small to speak about other prompts, and the percentile bootstrap is too narrow."""

SMALLEST = 1e-15
"""The smallest p-value: beyond it, levels cannot be told from 1."""

Z95 = NormalDist().inv_cdf(0.975)
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of the given level, ends included; `method` is bootstrap, t, wilson or none (both ends NaN)."""

    low: float
    high: float
    method: str
    clusters: int
    standard_error: float = math.nan

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def too_few(self) -> bool:
        """Whether there are too few clusters for the bootstrap, and to speak about other prompts at all."""
        return self.clusters < FEW_CLUSTERS

    @property
    def half_width(self) -> float:
        """Half the distance between the ends."""
        return (self.high - self.low) / 2


@runtime_checkable
class Estimate(Protocol):
    """A measured number with an interval at any level and, by turning the interval round, a test of any value."""

    @property
    def value(self) -> float:
        """The number as measured; NaN where nothing was."""

    @property
    def clusters(self) -> int:
        """Prompts that it rests on."""

    @property
    def standard_error(self) -> float:
        """Standard deviation of the number over sets of such prompts."""

    def interval(self, level: float = 0.95) -> Interval:
        """The interval that contains the true number in `level` of such sets."""

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the true number being `null`: 1 - the level at which the interval touches it."""


def touching_level(interval_at: Callable[[float], Interval], null: float) -> float:
    """The two-sided p-value of `null`: 1 - the level whose interval just touches it, by bisection; NaN without an interval.

    The interval has to grow with its level. So a p-value below 0.05 and a 95 % interval without `null` are one statement.
    Between 1 and SMALLEST, to a relative 1e-6.
    """
    if math.isnan(interval_at(0.5).low):
        return math.nan
    inside, outside = math.log(SMALLEST), 0.0
    while outside - inside > 1e-6:
        middle = (inside + outside) / 2
        if null in interval_at(1 - math.exp(middle)):
            inside = middle
        else:
            outside = middle
    return math.exp(outside)


def cluster_index(cluster: Int[np.ndarray, " N"]) -> tuple[Int[np.ndarray, " N"], int]:
    """(the number of each row's cluster, 0 to C - 1 in ascending order of the given numbers; C)."""
    names, index = np.unique(cluster, return_inverse=True)
    return np.asarray(index.reshape(-1)), int(names.size)


def wilson(share: float, n: int | float, *, level: float = 0.95) -> Interval:
    """Score interval of a share in [0, 1] seen on `n` independent trials (Wilson 1927, JASA 22, 209-212).

    `n` may be an effective number (not whole). With n = 0 both ends are NaN.
    """
    if n <= 0 or math.isnan(share):
        return no_interval(0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half), "wilson", int(n))


def no_interval(clusters: int) -> Interval:
    """Both ends NaN: the data do not carry an interval."""
    return Interval(math.nan, math.nan, "none", clusters)


def effective_size(weight: Float[np.ndarray, " N"]) -> float:
    """(sum w)^2 / sum w^2, the number of equal weights that carry as much (Kish 1965); 0 for none."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0
