"""Whether one model is better than another on the same comparisons."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.metrics import correctness, decided, weighted_mean
from rewardsmith.evaluate.statistics import (
    RESAMPLES,
    Interval,
    cluster_index,
    cluster_intervals,
    minimal_detectable_difference,
    no_interval,
    ratio_statistic,
)

ENUMERATED = 14
"""Up to so many clusters that differ, all 2^k sign patterns are counted; with more, a sample is drawn."""

FLIPS = 9_999
"""Sampled sign patterns; with the observed one they make 10,000."""


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The first model minus the second on `n` decided comparisons.

    `difference` of accuracies in [-1, 1]; `only_first` and `only_second` count comparisons that one model ranks right
    and the other does not, `flipped` all comparisons on which the sign of the margin differs. `test` names the test
    behind `p_value` (of no difference, two-sided); `minimal_detectable` is the difference found with 80 % power.
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


def compare_margins(
    first: Float[np.ndarray, " N"],
    second: Float[np.ndarray, " N"],
    *,
    preference: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    rng: np.random.Generator,
    weight: Float[np.ndarray, " N"] | None = None,
    resamples: int = RESAMPLES,
) -> PairedComparison:
    """Compare two models' margins on the same comparisons, row by row; label ties and rows of weight 0 are left out.

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
    gain, weight = one - two, weight[rows]
    interval = paired_interval(one, two, weight=weight, cluster=cluster[rows], rng=rng, resamples=resamples)
    p_value, test = paired_p_value(gain, weight, cluster=cluster[rows], rng=rng)
    return PairedComparison(
        n=int(rows.sum()),
        difference=weighted_mean(gain, weight),
        interval=interval,
        p_value=p_value,
        test=test,
        only_first=int(((one == 1) & (two < 1)).sum()),
        only_second=int(((two == 1) & (one < 1)).sum()),
        flipped=int((one != two).sum()),
        minimal_detectable=minimal_detectable_difference(interval.standard_error),
    )


def paired_interval(
    first: Float[np.ndarray, " N"],
    second: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Interval:
    """95 % interval of the mean of `first - second`, two values in [0, 1] per row, clusters kept together."""
    index, clusters = cluster_index(cluster)
    if clusters == 0:
        return no_interval(0)
    statistic = ratio_statistic(first - second, weight, index=index)
    return cluster_intervals(
        {"difference": statistic}, clusters=clusters, rng=rng, bounds={"difference": (-1.0, 1.0)}, resamples=resamples
    )["difference"]


def paired_p_value(
    gain: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    rng: np.random.Generator,
) -> tuple[float, str]:
    """(two-sided p-value of no difference, its test): under it each cluster's summed gain is as likely negative.

    Where all clusters that differ do so by the same amount (one comparison per cluster, mostly), the sum is binomial:
    McNemar's (1947) exact test, `mcnemar`. Otherwise the signs of whole clusters are flipped (Fisher 1935, section 21):
    all patterns, `sign_flip_exact`, or 9,999 of them and the observed one, `sign_flip`. No data give (NaN, "none").
    """
    index, clusters = cluster_index(cluster)
    if clusters == 0:
        return float("nan"), "none"
    sums = np.bincount(index, gain * weight, clusters)
    sums = sums[np.abs(sums) > 1e-12]
    if np.allclose(np.abs(sums), np.abs(sums).max(initial=0.0), rtol=1e-9, atol=0):
        return binomial_p_value(int((sums > 0).sum()), sums.size), "mcnemar"
    observed = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    if sums.size <= ENUMERATED:
        patterns = (np.arange(2**sums.size)[:, None] >> np.arange(sums.size)) & 1
        return float((np.abs((2.0 * patterns - 1) @ sums) >= observed).mean()), "sign_flip_exact"
    hits = 0
    for start in range(0, FLIPS, 500):
        signs = 2.0 * rng.integers(0, 2, size=(min(500, FLIPS - start), sums.size)) - 1
        hits += int((np.abs(signs @ sums) >= observed).sum())
    return (1 + hits) / (1 + FLIPS), "sign_flip"


def binomial_p_value(successes: int, trials: int) -> float:
    """Two-sided p-value of a fair coin, twice the smaller tail and at most 1 (McNemar's exact test); 1 for no trial."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(successes, trials - successes), trials, 0.5))) if trials else 1.0
