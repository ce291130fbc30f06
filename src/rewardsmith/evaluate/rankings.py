"""How well the order of three or more responses is found: Kendall's tau and best-of-N, with n and interval."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate import metrics
from rewardsmith.evaluate.comparisons import Comparisons, Rankings
from rewardsmith.evaluate.statistics import DIFFERENCE, SHARE, Interval, clustered_mean, no_interval

FEWEST = 10
"""Rankings under which no figure is reported: the mean tau of ten random orders of three is beyond 0.4 once in 30 times."""


@dataclass(frozen=True, slots=True)
class OfRankings:
    """The weighted mean over `n` rankings, with its 95 % interval over prompts; NaN for n = 0."""

    value: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Order:
    """Kendall's tau in [-1, 1], best-of-N accuracy in [0, 1], and what a constant model gets of the latter."""

    tau: OfRankings
    best: OfRankings
    chance: float


NOTHING = OfRankings(math.nan, no_interval(0), 0)


@dataclass(frozen=True, eq=False)
class PerRow:
    """The prompts that rows belong to: ranking, cluster and weight of each row, shape (N,)."""

    group: Int[np.ndarray, " N"]
    cluster: Int[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]

    def mean(self, value: Float[np.ndarray, " G"], bounds: tuple[float, float]) -> OfRankings:
        """The mean of one value per ranking (NaN: left out), each with the mean weight of its rows."""
        rows = metrics.rows_by_group(self.group)
        weight = np.array([self.weight[each].mean() for each in rows])
        cluster = np.array([self.cluster[each[0]] for each in rows])
        used = ~np.isnan(value) & (weight > 0)
        if not used.any():
            return NOTHING
        found = clustered_mean(value[used], weight[used], cluster=cluster[used], bounds=bounds)
        return OfRankings(found.value, found.interval(), int(used.sum()))


def order_of(used: Comparisons, rankings: Rankings | None) -> Order:
    """From `rankings`, else tau alone from the response ids of comparisons; NaN where responses cannot be told apart."""
    if rankings is not None:
        quality, reward, group = rankings.quality, rankings.reward, rankings.group
        per_row = PerRow(
            group,
            group if rankings.cluster is None else rankings.cluster,
            np.ones(group.size) if rankings.weight is None else rankings.weight,
        )
        best = metrics.best_of_n_values(quality, reward, group=group)
        chance = metrics.best_of_n_values(quality, np.zeros_like(reward), group=group)
        return Order(
            per_row.mean(metrics.kendall_values(quality, reward, group=group), DIFFERENCE),
            per_row.mean(best, SHARE),
            per_row.mean(chance, SHARE).value,
        )
    if used.preferred_id is None or used.other_id is None:
        return Order(NOTHING, NOTHING, math.nan)
    responses = np.stack([used.preferred_id, used.other_id], axis=1)
    values = metrics.kendall_values_of_pairs(
        used.margin, used.preference, group=used.cluster, responses=responses, weight=used.weight
    )
    per_row = PerRow(used.cluster, used.cluster, used.weight)
    return Order(per_row.mean(values, DIFFERENCE), NOTHING, math.nan)
