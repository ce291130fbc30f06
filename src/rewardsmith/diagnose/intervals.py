"""Intervals and sample sizes for shares, from closed formulas on plain floats."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from rewardsmith.evaluate import statistics

Z95 = NormalDist().inv_cdf(0.975)
"""Standard normal quantile of a two-sided 95 % interval."""

POWER_FACTOR = ((NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) / Z95) ** 2
"""How many times more data an effect needs to be found in 80 % of repetitions rather than in half of them."""


@dataclass(frozen=True, slots=True)
class Interval95:
    """A 95 % interval, ends included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def half_width(self) -> float:
        """Half the distance between the ends."""
        return (self.high - self.low) / 2


def wilson(share: float, n: int) -> Interval95:
    """95 % score interval of a share in [0, 1] seen on `n` >= 1 independent trials (Wilson 1927, JASA 22, 209-212).

    A share that counts a tie as one half is allowed; the interval is then slightly too wide.
    """
    found = statistics.wilson(float(share), float(n))
    return Interval95(found.low, found.high)


def unpaired_difference(share: float, n: int, other: float, other_n: int) -> Interval95:
    """95 % interval of `share - other` on two separate samples (Newcombe 1998, method 10: Wilson's ends combined)."""
    a, b = wilson(share, n), wilson(other, other_n)
    difference = share - other
    low = difference - math.hypot(share - a.low, b.high - other)
    high = difference + math.hypot(a.high - share, other - b.low)
    return Interval95(low, high)


def pairs_needed(difference: float, half_width: float, n: int) -> int | None:
    """Comparisons needed to find `difference` in 80 % of repetitions, given its 95 % half width at `n`.

    Half widths shrink with the square root of n; the power term is ((z_.975 + z_.8) / z_.975)^2. None where the
    difference is 0: no number of pairs tells equal things apart.
    """
    return None if difference == 0 else math.ceil(n * POWER_FACTOR * (half_width / difference) ** 2)


def normal(share: float) -> float:
    """The quantile of the standard normal distribution below which `share` of it lies."""
    return NormalDist().inv_cdf(share)
