"""Tests of no difference, several at once, and whether a difference was found, excluded, or neither."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.inference.interval import Interval, cluster_index

ENUMERATED = 14
"""Up to so many clusters that differ, all 2^k sign patterns are counted; with more, a sample is drawn."""

FLIPS = 9_999
"""Sampled sign patterns; with the observed one they make 10,000."""

Equivalence = Literal["found", "excluded", "inconclusive"]


def equivalence(interval: Interval, bound: float) -> Equivalence:
    """Whether a difference of at least `bound` >= 0 was found, excluded, or can neither be said.

    Excluded: the whole interval lies strictly inside (-bound, bound), so that absence was shown and not merely nothing found
    (two one-sided tests, Schuirmann 1987; a 95 % interval makes each a test at 2.5 %). Found: the interval leaves out 0
    and is not excluded. Without an interval nothing can be told.
    """
    if max(abs(interval.low), abs(interval.high)) < bound:
        return "excluded"
    return "found" if interval.low > 0 or interval.high < 0 else "inconclusive"


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for all being looked at: any below 0.05 is false in at most 5 % (Holm 1979, Scand. J. Stat. 6).

    The k-th smallest of m times m - k + 1, never below the one before, at most 1. NaN (nothing to test) stays NaN and does
    not count.
    """
    return _adjusted(p_values, lambda ordered: np.maximum.accumulate(ordered * np.arange(ordered.size, 0, -1)))


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted such that of those below 0.05 at most 5 % are expected to be false (Benjamini & Hochberg 1995,
    J. R. Stat. Soc. B 57): the k-th smallest of m times m / k, never above the next, at most 1. NaN as in `holm`.
    """

    def adjust(ordered: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        scaled = ordered * ordered.size / np.arange(1, ordered.size + 1)
        return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])

    return _adjusted(p_values, adjust)


def _adjusted(
    p_values: Sequence[float], adjust: Callable[[Float[np.ndarray, " M"]], Float[np.ndarray, " M"]]
) -> tuple[float, ...]:
    """`adjust` of the known p-values in ascending order, put back in their places."""
    given = np.array(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known], kind="stable")]
    given[order] = np.minimum(1.0, adjust(given[order]))
    return tuple(given.tolist())


def sign_flip_p_value(
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
