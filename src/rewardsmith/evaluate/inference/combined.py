"""Differences of groups and averages over sections: several means, combined without a new variance for each case.

MOVER (Zou & Donner 2008, Stat. Med. 27, 1693-1702; Newcombe 1998, Stat. Med. 17, 873-890, method 10, is its case of two
independent shares): the distance from the value to an end of the combination's interval is the root of the summed squares
of the distances of its parts, with twice their products times the correlation where parts share prompts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.inference.clustered import SHARE, ClusteredMean, clustered_mean
from rewardsmith.evaluate.inference.interval import Interval, cluster_index, no_interval, touching_level

ADDED = 2.0
"""Observations added to each part, as Agresti & Caffo (2000, The American Statistician 54, 280-288) do for two: what is
added to a share alone would be too much where the parts' skewness cancels."""

SHARED = 3.0
"""Prompts in both parts at which half of their correlation counts where it makes an interval narrower."""


@dataclass(frozen=True, eq=False)
class Combination:
    """sum c_k m_k of means m_k with the coefficients c, shape (K,), and the correlation of the means, shape (K, K)."""

    parts: tuple[ClusteredMean, ...]
    coefficients: Float[np.ndarray, " K"]
    correlation: Float[np.ndarray, "K K"]
    clusters: int

    @property
    def value(self) -> float:
        """The combination of the values; NaN where a part has none."""
        return float(self.coefficients @ np.array([part.value for part in self.parts]))

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest combination that there can be."""
        ends = np.array([part.bounds for part in self.parts]) * self.coefficients[:, None]
        return float(ends.min(axis=1).sum()), float(ends.max(axis=1).sum())

    @property
    def standard_error(self) -> float:
        """The root of the summed variances and covariances of the parts."""
        return self._length(np.array([part.standard_error for part in self.parts]))

    def interval(self, level: float = 0.95) -> Interval:
        """The ends from the ends of the parts, cut to the bounds; both NaN where a part has no interval."""
        found = [part.interval(level) for part in self.parts]
        value, (lowest, highest) = self.value, self.bounds
        if math.isnan(value):
            return no_interval(self.clusters)
        below = np.array([part.value - each.low for part, each in zip(self.parts, found, strict=True)])
        above = np.array([each.high - part.value for part, each in zip(self.parts, found, strict=True)])
        positive = self.coefficients > 0
        low = value - self._length(np.where(positive, below, above))
        high = value + self._length(np.where(positive, above, below))
        return Interval(max(lowest, low), min(highest, high), "t", self.clusters, self.standard_error)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the true combination being `null`, from the interval that touches it."""
        return touching_level(self.interval, null)

    def _length(self, distance: Float[np.ndarray, " K"]) -> float:
        scaled = self.coefficients * distance
        return math.sqrt(max(0.0, float(scaled @ self.correlation @ scaled)))


def group_gap(
    value: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    one: Bool[np.ndarray, " N"],
    other: Bool[np.ndarray, " N"],
) -> Combination:
    """The mean of the rows of `one` minus that of `other`, values in [0, 1]; a prompt may have rows in both."""
    return combine(value, weight, cluster=cluster, groups=[one, other], coefficients=np.array([1.0, -1.0]))


def macro_average(
    value: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    section: npt.NDArray[Any],
    shares: Mapping[Any, float] | None = None,
) -> Combination:
    """The mean of the sections' means, values in [0, 1]: each section counts the same, or as `shares` >= 0 says.

    Shares are scaled to add up to 1. Raises DataError where they do not name each section, or where none is above 0.
    """
    names = np.unique(section)
    share = np.ones(names.size) if shares is None else checked_shares(shares, [str(name) for name in names])
    groups = [section == name for name in names]
    return combine(value, weight, cluster=cluster, groups=groups, coefficients=share / max(share.sum(), 1e-300))


def checked_shares(shares: Mapping[Any, float], names: Sequence[str]) -> Float[np.ndarray, " K"]:
    """The share of each name, as given; see `macro_average`."""
    given = {str(key): share for key, share in shares.items()}
    if lacking := [name for name in names if name not in given]:
        raise DataError(f"no share for the sections {', '.join(lacking)}; expected one for each section")
    share = np.array([given[name] for name in names], dtype=np.float64)
    if share.size and (share.min() < 0 or share.sum() <= 0):
        raise DataError(f"the shares of the sections are {share.tolist()}; expected numbers >= 0, one of them above 0")
    return share


def combine(
    value: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    groups: list[Bool[np.ndarray, " N"]],
    coefficients: Float[np.ndarray, " K"],
) -> Combination:
    """The combination of the means of groups of rows, values in [0, 1], one coefficient for each group.

    How the means of two groups move together is taken from the prompts that have rows in both, summed with their weight.
    Few such prompts tell little, so what makes an interval narrower counts s / (s + SHARED) at s shared prompts.
    """
    parts = [PartValues(value, np.where(group & (weight > 0), weight, 0.0)) for group in groups]
    return combine_means(parts, cluster=cluster, coefficients=coefficients)


@dataclass(frozen=True, eq=False)
class PartValues:
    """The values within `bounds` and the weights >= 0 of all rows, of which a part's mean takes those of weight above 0."""

    value: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    bounds: tuple[float, float] = SHARE


def combine_means(
    parts: Sequence[PartValues], *, cluster: Int[np.ndarray, " N"], coefficients: Float[np.ndarray, " K"]
) -> Combination:
    """The combination of the means of parts that may have other values for the same row, one coefficient for each part.

    How two means move together, see `combine`. A benchmark's score may have hundreds of parts and each prompt lies in few
    of them, so the sums by prompt are sparse.
    """
    from scipy.sparse import csr_array

    added = ADDED if len(parts) > 1 else None
    nothing = np.array([], dtype=np.int64)
    means, rows, columns, pulls = [], [nothing], [nothing], [nothing.astype(np.float64)]
    index, size = cluster_index(cluster)
    for number, part in enumerate(parts):
        used = part.weight > 0
        value, weight = part.value[used], part.weight[used]
        mean = clustered_mean(value, weight, cluster=cluster[used], bounds=part.bounds, added=added)
        means.append(mean)
        there, own = cluster_index(index[used])[0], np.unique(index[used])
        pull = np.bincount(there, weight * (value - mean.value), own.size) / max(float(weight.sum()), 1e-300)
        rows.append(np.full(own.size, number))
        columns.append(own)
        pulls.append(np.nan_to_num(pull))
    place = (np.concatenate(rows), np.concatenate(columns))
    pull = csr_array((np.concatenate(pulls), place), shape=(len(parts), size))
    there = csr_array((np.ones(len(place[0])), place), shape=pull.shape)
    correlation = correlation_of((pull @ pull.T).toarray(), (there @ there.T).toarray(), coefficients)
    return Combination(tuple(means), coefficients, correlation, int(np.unique(place[1]).size))


def correlation_of(
    products: Float[np.ndarray, "K K"], together: Float[np.ndarray, "K K"], coefficients: Float[np.ndarray, " K"]
) -> Float[np.ndarray, "K K"]:
    """The correlation of means from the summed products of what prompts add to them, and how many they share."""
    length = np.sqrt(np.diag(products))
    correlation = products / np.maximum(np.outer(length, length), 1e-300)
    narrower = correlation * np.outer(coefficients, coefficients) < 0
    correlation = np.where(narrower, correlation * together / (together + SHARED), correlation)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)
