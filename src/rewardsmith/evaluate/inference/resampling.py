"""Intervals for any number that is measured on comparisons which come in clusters.

Comparisons on one prompt are not independent, so the prompt is what is resampled. A `Statistic` takes how often each
cluster was drawn, shape (B, C), one row per resample, and returns its B values: accuracies, areas under a curve and
differences of models all get their interval the same way, and from the same draws.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.inference.interval import FEW_CLUSTERS, Interval, no_interval, wilson

Statistic = Callable[[Float[np.ndarray, "B C"]], Float[np.ndarray, " B"]]

RESAMPLES = 2000
"""The ends of a 95 % interval then rest on 50 resamples each."""

BLOCK = 2_000_000
"""Entries of one block of counts: 16 MB, so that memory does not grow with the number of resamples."""

SAME = 1e-12
"""A standard error that is rounding."""

UNBOUNDED = (-math.inf, math.inf)


def ratio_statistic(
    value: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], *, index: Int[np.ndarray, " N"]
) -> Statistic:
    """The weighted mean sum w x / sum w as a Statistic; NaN for a resample without weight."""
    clusters = int(index.max()) + 1 if index.size else 0
    top = np.bincount(index, np.where(weight > 0, weight * value, 0.0), clusters)
    bottom = np.bincount(index, weight, clusters)

    def statistic(counts: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        with np.errstate(invalid="ignore"):
            return np.asarray((counts @ top) / (counts @ bottom))

    return statistic


def auc_statistic(
    preferred_reward: Float[np.ndarray, " N"],
    other_reward: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"],
    index: Int[np.ndarray, " N"],
) -> Statistic:
    """`metrics.auc` as a Statistic; sorted once, so that a resample costs O(N)."""
    order = np.argsort(other_reward)
    left = np.searchsorted(other_reward[order], preferred_reward, side="left")
    right = np.searchsorted(other_reward[order], preferred_reward, side="right")

    def block(counts: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        rows = np.take(counts, index, axis=1) * weight
        below = np.zeros((rows.shape[0], order.size + 1))
        np.cumsum(np.take(rows, order, axis=1), axis=1, out=below[:, 1:])
        wins = np.einsum("bn,bn->b", rows, np.take(below, left, axis=1) + np.take(below, right, axis=1)) / 2
        with np.errstate(invalid="ignore"):
            return np.asarray(wins / rows.sum(axis=1) ** 2)

    def statistic(counts: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        size = max(1, BLOCK // max(1, order.size))
        return np.concatenate([block(counts[start : start + size]) for start in range(0, len(counts), size)])

    return statistic


def resampled_counts(clusters: int, resamples: int, *, rng: np.random.Generator) -> Iterator[Float[np.ndarray, "B C"]]:
    """How often each of `clusters` is drawn when as many are drawn with replacement; `resamples` rows, in blocks."""
    size = max(1, BLOCK // clusters)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(0, clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)


def point_value(statistic: Statistic, clusters: int) -> float:
    """The statistic on the data as they are: every cluster once."""
    return float(statistic(np.ones((1, clusters)))[0]) if clusters else math.nan


def cluster_intervals(
    statistics: Mapping[str, Statistic],
    *,
    clusters: int,
    rng: np.random.Generator,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> dict[str, Interval]:
    """An interval for each statistic: from 30 clusters on the percentile bootstrap, under 30 a t-interval.

    `bounds` names the range of statistics that have one, such as (0, 1) for a share; others are unbounded. See
    `bootstrap_intervals`, `jackknife_t_interval` and `at_a_bound` for what is computed when.
    """
    bounds = bounds or {}
    if clusters >= FEW_CLUSTERS:
        found = bootstrap_intervals(statistics, clusters=clusters, rng=rng, resamples=resamples, level=level)
    else:
        found = {
            name: jackknife_t_interval(statistic, clusters, level=level, bounds=bounds.get(name, UNBOUNDED))
            for name, statistic in statistics.items()
        }
    for name, statistic in statistics.items():
        safe = at_a_bound(point_value(statistic, clusters), clusters, bounds.get(name, UNBOUNDED), level=level)
        found[name] = safe or found[name]
    return found


def bootstrap_intervals(
    statistics: Mapping[str, Statistic],
    *,
    clusters: int,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals over resampled clusters (Efron 1979; clusters: Davison & Hinkley 1997, section 3.8).

    A resample on which a statistic is not defined (no weight drawn) does not enter its quantiles.
    """
    draws: dict[str, list[Float[np.ndarray, " _"]]] = {name: [] for name in statistics}
    for counts in resampled_counts(clusters, resamples, rng=rng):
        for name, statistic in statistics.items():
            draws[name].append(statistic(counts))
    found = {}
    for name, blocks in draws.items():
        values = np.concatenate(blocks)
        values = values[~np.isnan(values)]
        if values.size < 2:
            found[name] = no_interval(clusters)
            continue
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        found[name] = Interval(float(low), float(high), "bootstrap", clusters, float(values.std(ddof=1)))
    return found


def jackknife_t_interval(
    statistic: Statistic,
    clusters: int,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Interval:
    """value +- t_{C-1} se, se from leaving out one cluster at a time (Efron & Tibshirani 1993, eq. 11.5).

    For a plain mean of clusters of one size this is Student's interval over the cluster means. Cut to `bounds`. Where all
    clusters show the same, which few may do by chance, the clusters count as trials (see `at_a_bound`).
    """
    if clusters < 2:
        return no_interval(clusters)
    without = statistic(1.0 - np.eye(clusters))
    if np.isnan(without).any():
        return no_interval(clusters)
    error = math.sqrt((clusters - 1) / clusters * float(((without - without.mean()) ** 2).sum()))
    from scipy.special import stdtrit

    half = float(stdtrit(clusters - 1, (1 + level) / 2)) * error
    value = point_value(statistic, clusters)
    if error < SAME and math.isfinite(bounds[1] - bounds[0]):
        return as_trials(value, clusters, bounds, level=level)
    return Interval(max(bounds[0], value - half), min(bounds[1], value + half), "t", clusters, error)


def at_a_bound(value: float, clusters: int, bounds: tuple[float, float], *, level: float = 0.95) -> Interval | None:
    """Wilson's interval where resampling must fail: a share of exactly 0 or 1, or one cluster; None elsewhere.

    All right on 20 prompts would give [1, 1]. The clusters then count as the trials: the variance of a bounded value is
    at most that of a coin with the same mean, so this is wide rather than narrow.
    """
    low, high = bounds
    if not math.isfinite(high - low) or math.isnan(value) or clusters == 0:
        return None
    return as_trials(value, clusters, bounds, level=level) if clusters == 1 or not low < value < high else None


def as_trials(value: float, clusters: int, bounds: tuple[float, float], *, level: float) -> Interval:
    """Wilson's interval of a bounded value, the clusters being the trials."""
    low, high = bounds
    share = wilson((value - low) / (high - low), clusters, level=level)
    return Interval(low + (high - low) * share.low, low + (high - low) * share.high, "wilson", clusters)
