"""Whether one model is better than another on the same comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.metrics import correctness, decided
from rewardsmith.evaluate.statistics import (
    Interval,
    minimal_detectable_difference,
    paired_difference,
    prompts_to_detect,
    sign_flip_p_value,
)

LEVEL = 0.05
"""A model is called better where the p-value is below, which is where the interval leaves out 0."""

DIFFERENCES = (0.005, 0.01, 0.02, 0.05)
"""Differences for which the prompts needed are given."""


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The first model minus the second on `n` decided comparisons.

    `difference` of accuracies in [-1, 1]; `only_first` and `only_second` count comparisons that one model ranks right
    and the other does not, `flipped` all comparisons on which the sign of the margin differs. `test` names the test
    behind `p_value` (of no difference, two-sided), which is below 0.05 where `interval` leaves out 0 and nowhere else;
    `minimal_detectable` is the difference found with 80 % power, `prompts_needed` tells for each of
    DIFFERENCES how many prompts like these it takes.
    """

    n: int
    difference: float
    interval: Interval
    p_value: float
    test: str
    only_first: int
    only_second: int
    flipped: int
    minimal_detectable: float
    prompts: int
    prompts_needed: Mapping[str, int | None]

    @property
    def better(self) -> str:
        """first, second, or neither where that cannot be told."""
        if not self.p_value < LEVEL:
            return "neither"
        return "first" if self.difference > 0 else "second"


def compare_margins(
    first: Float[np.ndarray, " N"],
    second: Float[np.ndarray, " N"],
    *,
    preference: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    rng: np.random.Generator,
    weight: Float[np.ndarray, " N"] | None = None,
) -> PairedComparison:
    """Compare two models' margins on the same comparisons, row by row; label ties and rows of weight 0 are left out.

    The p-value is the larger of the sign-flip test's and the interval's own, and an interval that leaves out 0 where the
    sign-flip test does not reject is widened to it: one statement, in which both have to agree.
    Raises DataError for a margin that is not a number.
    """
    weight = np.ones(first.size) if weight is None else weight
    for name, margin in (("first", first), ("second", second)):
        if np.isnan(margin).any():
            raise DataError(
                f"{int(np.isnan(margin).sum())} margins of the {name} model are NaN; evaluate that model again"
            )
    rows = decided(preference) & (weight > 0)
    one, two = correctness(first[rows]), correctness(second[rows])
    weight, cluster = weight[rows], cluster[rows]
    found = paired_difference(one, two, weight, cluster=cluster)
    p_value, test = sign_flip_p_value(one - two, weight, cluster=cluster, rng=rng)
    return PairedComparison(
        n=int(rows.sum()),
        difference=found.value,
        interval=agreeing(found.interval(), p_value),
        p_value=max(p_value, found.p_value()),
        test=test,
        only_first=int(((one == 1) & (two < 1)).sum()),
        only_second=int(((two == 1) & (one < 1)).sum()),
        flipped=int((one != two).sum()),
        minimal_detectable=minimal_detectable_difference(found.standard_error),
        prompts=found.clusters,
        prompts_needed={f"{size:g}": prompts_to_detect(found, size) for size in DIFFERENCES},
    )


def agreeing(interval: Interval, p_value: float) -> Interval:
    """The interval, widened to 0 where the sign-flip test does not reject no difference."""
    if not p_value >= LEVEL:
        return interval
    low, high = min(interval.low, 0.0), max(interval.high, 0.0)
    return Interval(low, high, interval.method, interval.clusters, interval.standard_error)
