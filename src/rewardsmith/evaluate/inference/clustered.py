"""The interval of a weighted mean of values (right or wrong, a difference of such, rewards) that come in clusters.

Three things make the usual interval too narrow, and each has its answer here, chosen by simulation (docs/metrics.md):

- near 0 and 1, and where a handful of comparisons decides, a mean has a skewed distribution. So a few observations are
  added at both bounds before the variance is taken: z^2 for a share (Agresti & Coull 1998, The American Statistician 52,
  119-126), 2 for a difference of two shares on the same comparisons (Bonett & Price 2012, J. Educ. Behav. Stat. 37,
  479-488). No difference in any comparison then still has an interval.
- comparisons of one prompt resemble each other. Their effective number n lies between that of prompts (all answers of a
  prompt alike) and that of comparisons (independent), both by Kish (1965); where, says the intraclass correlation.
- where few prompts tell of that correlation it is hardly known: among prompts that are all right but for two scattered
  errors, the one that would be wrong as a whole may be missing. It is drawn towards 1 the more, the fewer prompts tell of
  it and the rarer one of the outcomes is, and the quantile is Student's with n degrees of freedom (for n that is
  estimated: Korn & Graubard 1998, Survey Methodology 24).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.inference.interval import Z95, Interval, cluster_index, no_interval, touching_level

SHARE, DIFFERENCE, UNBOUNDED = (0.0, 1.0), (-1.0, 1.0), (-math.inf, math.inf)

ADDED_TO_SHARE, ADDED_TO_DIFFERENCE = Z95**2, 2.0
"""Observations added, half at each bound."""

TELLING, TELLING_OF_RARE = 1.0, 3.0
"""So many telling prompts and the intraclass correlation is drawn half way to 1, and so many more where what is rare lies on
one side (see `half_way`); ten times as many: by one hundredth."""

TELLING_WITHOUT_BOUNDS = 3.0
"""The least that a mean without bounds takes instead: no added observations stand in for what was not seen."""

UNEVEN = 1.25
"""The variance between prompts as they are counts where it is larger than the intraclass correlation explains by this
factor: large prompts that differ more than small ones do. Below it, its own noise would only make intervals wider."""

SAME = 1e-12
"""A variance that is rounding."""


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A weighted mean (`value`) of values within `bounds`, with what its interval needs.

    `n` is the effective number of comparisons; `centre` and `spread` are mean and standard deviation with `added`
    observations at the bounds (none where there are no bounds). With no data all are NaN, `clusters` is 0.
    """

    value: float
    centre: float
    spread: float
    n: float
    added: float
    clusters: int
    bounds: tuple[float, float]

    @property
    def standard_error(self) -> float:
        """The spread over the root of the effective number of observations, added ones counted."""
        return self.spread / math.sqrt(self.n + self.added)

    @property
    def degrees(self) -> float:
        """Degrees of freedom: the effective number, without bounds less the one that the mean takes; 0 for one cluster."""
        if self.added:
            return self.n
        return self.n - 1 if self.clusters > 1 else 0.0

    def interval(self, level: float = 0.95) -> Interval:
        """centre -+ t(level) standard errors, cut to the bounds; it contains the value."""
        if math.isnan(self.value) or self.degrees <= 0:
            return no_interval(self.clusters)
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees, (1 + level) / 2)) * self.standard_error
        low, high = max(self.bounds[0], self.centre - half), min(self.bounds[1], self.centre + half)
        return Interval(min(low, self.value), max(high, self.value), "t", self.clusters, self.standard_error)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the true mean being `null`, from the interval that touches it."""
        return touching_level(self.interval, null)


@dataclass(frozen=True, eq=False)
class ClusteredRows:
    """Rows by cluster: `index` of each row, and per cluster its `weight`, sum of squared weights and number of rows.

    `at_worst` and `at_best` are the variance of a mean of values of variance 1 where all values of a cluster are alike,
    and where all rows are independent.
    """

    index: Int[np.ndarray, " N"]
    weight: Float[np.ndarray, " C"]
    squares: Float[np.ndarray, " C"]
    rows: Float[np.ndarray, " C"]
    at_worst: float
    at_best: float

    @property
    def size(self) -> int:
        """How many clusters there are."""
        return int(self.weight.size)


def gather_clusters(weight: Float[np.ndarray, " N"], cluster: Int[np.ndarray, " N"]) -> ClusteredRows:
    """The clusters of rows of positive weight."""
    index, size = cluster_index(cluster)
    per = np.bincount(index, weight, size)
    squares = np.bincount(index, weight**2, size)
    total = float(per.sum())
    return ClusteredRows(
        index,
        per,
        squares,
        np.bincount(index, minlength=size).astype(np.float64),
        float((per**2).sum()) / total**2,
        float(squares.sum()) / total**2,
    )


def clustered_mean(
    value: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    bounds: tuple[float, float] = SHARE,
    added: float | None = None,
) -> ClusteredMean:
    """The mean sum w x / sum w of values within `bounds`; rows of weight 0 play no part, one NaN makes all NaN.

    `added` observations (None: as many as the bounds ask for) enter the interval, not the value. The same for every order
    of the rows, every scale of the weights and every numbering of the clusters.
    """
    used = weight > 0
    value, weight, cluster = value[used], weight[used], cluster[used]
    if added is None:
        added = ADDED_TO_SHARE if bounds[0] >= 0 else ADDED_TO_DIFFERENCE
    if not value.size or np.isnan(value).any():
        nothing = math.nan
        return ClusteredMean(nothing, nothing, nothing, nothing, added, int(np.unique(cluster).size), bounds)
    clusters = gather_clusters(weight, cluster)
    total = float(weight.sum())
    mean, square = float((weight * value).sum()) / total, float((weight * value**2).sum()) / total
    n = effective_number(value - mean, weight, clusters)
    centre, spread = with_added(mean, square, n, added, bounds)
    return ClusteredMean(mean, centre, spread, n, added, clusters.size, bounds)


def unbounded_mean(
    value: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], *, cluster: Int[np.ndarray, " N"]
) -> ClusteredMean:
    """The mean of values without bounds, such as rewards: Student's t with the effective number, nothing added.

    Rows of weight 0 play no part, one NaN makes all NaN; one cluster has no interval.
    """
    used = weight > 0
    value, weight, cluster = value[used], weight[used], cluster[used]
    if not value.size or np.isnan(value).any():
        nothing = math.nan
        return ClusteredMean(nothing, nothing, nothing, nothing, 0.0, int(np.unique(cluster).size), UNBOUNDED)
    clusters = gather_clusters(weight, cluster)
    mean = float((weight * value).sum()) / float(weight.sum())
    n = effective_number(value - mean, weight, clusters, least=TELLING_WITHOUT_BOUNDS)
    variance = float((weight * (value - mean) ** 2).sum()) / float(weight.sum())
    spread = math.sqrt(variance * n / (n - 1)) if n > 1 else math.nan
    return ClusteredMean(mean, mean, spread, n, 0.0, clusters.size, UNBOUNDED)


def paired_difference(
    first: Float[np.ndarray, " N"],
    second: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
) -> ClusteredMean:
    """The mean of `first - second`, two values in [0, 1] of each row: one model and another on the same comparisons."""
    return clustered_mean(first - second, weight, cluster=cluster, bounds=DIFFERENCE)


def with_added(mean: float, square: float, n: float, added: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """(mean, standard deviation) of n observations with these moments and `added` ones, half at each bound."""
    low, high = bounds
    centre = (n * mean + added * (low + high) / 2) / (n + added)
    second = (n * square + added * (low**2 + high**2) / 2) / (n + added)
    return centre, math.sqrt(max(0.0, second - centre**2))


def effective_number(
    residual: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    clusters: ClusteredRows,
    *,
    least: float = TELLING,
) -> float:
    """How many independent rows the mean is worth: 1 / (r a + (1 - r) b) with r the intraclass correlation.

    a and b are `at_worst` and `at_best` of the clusters, `least` as in `intraclass_correlation`. The variance of the
    clusters as they are takes the place of r where UNEVEN says so.
    """
    worst, best = clusters.at_worst, clusters.at_best
    total = float(clusters.weight.sum())
    variance = float((weight * residual**2).sum()) / total
    correlation = intraclass_correlation(residual, weight, clusters, least=least)
    if variance < SAME or correlation == 1:
        return 1 / worst
    modelled = correlation * worst + (1 - correlation) * best
    sums = np.bincount(clusters.index, weight * residual, clusters.size) / total
    between = float((sums**2 / np.maximum(1 - clusters.weight / total, SAME)).sum()) / variance
    return 1 / min(worst, max(best, modelled, between / UNEVEN))


def intraclass_correlation(
    residual: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    clusters: ClusteredRows,
    *,
    least: float = TELLING,
) -> float:
    """How alike the rows of a cluster are, in [0, 1], on the side of caution; 1 where nothing is known.

    The mean product of two residuals of one cluster over their mean square in these clusters, each cluster counted with its
    weight, corrected for the mean being estimated (moments, as Donner & Eliasziw 1991 do for categories), then drawn towards
    1 by 1 / (1 + (t / h)^2) with t the number of `telling_clusters` and h that of `half_way`, or `least` where it is more.
    """
    several = clusters.rows > 1
    squares = np.bincount(clusters.index, weight * residual**2, clusters.size)[several]
    if float(squares.sum()) < SAME * float(clusters.weight.sum()):
        return 1.0
    sums = np.bincount(clusters.index, weight * residual, clusters.size)[several]
    own = np.bincount(clusters.index, (weight * residual) ** 2, clusters.size)[several]
    mass = clusters.weight[several]
    pairs = (mass**2 - clusters.squares[several]) / mass
    alike = float(((sums**2 - own) / mass).sum()) / float((pairs * squares / mass).sum())
    found = min(1.0, max(0.0, (alike + clusters.at_best) / (1 - clusters.at_worst + clusters.at_best)))
    half = max(least, half_way(residual, weight))
    return found + (1 - found) / (1 + (telling_clusters(squares) / half) ** 2)


def telling_clusters(squares: Float[np.ndarray, " C"]) -> float:
    """How many clusters tell how alike their rows are, from the summed square of the residuals in each: (sum d)^2 / sum d^2
    with d its root (Kish 1965), so that clusters all right next to a few with errors count for little."""
    return float(np.sqrt(squares).sum()) ** 2 / float(squares.sum())


def half_way(residual: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"]) -> float:
    """The number of telling clusters at which half of the caution is left: TELLING + TELLING_OF_RARE s^2.

    s = |sum w r^3| / sum w |r|^3 is near 1 where rare residuals lie on one side (few errors, flips to one model only), so
    that an unseen cluster of such moves the mean one way, and 0 where both sides are alike.
    """
    cubes = weight * residual**2 * residual
    return TELLING + TELLING_OF_RARE * (float(cubes.sum()) / float(np.abs(cubes).sum())) ** 2
