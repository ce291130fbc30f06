"""What a calibration does to the figures of some comparisons: before, after, and the difference with a paired interval."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.calibration import ece
from rewardsmith.evaluate.corrections.fitting import AppliedCalibration, ScoredPairs
from rewardsmith.evaluate.figures import ends, plain
from rewardsmith.evaluate.metrics import correctness, nll_values, weighted_mean
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.evaluate.statistics import Interval, cluster_index, cluster_intervals, ratio_statistic

CORRELATED = 3
"""Responses below which no correlation is told."""


@dataclass(frozen=True)
class BeforeAfter:
    """One figure of raw and of calibrated rewards; `interval` of after minus before, None where there is none."""

    before: float
    after: float
    interval: Interval | None = None

    def to_json(self) -> dict[str, Any]:
        """before, after, difference, ci."""
        return {
            "before": plain(self.before),
            "after": plain(self.after),
            "difference": plain(self.after - self.before),
            "ci": None if self.interval is None else ends(self.interval),
        }


@dataclass(frozen=True)
class CalibrationEffect:
    """Figures before and after on `n` decided comparisons of `prompts` prompts.

    `length_correlation` is Pearson's over all responses, `longer_wins` the share of comparisons of unequal length in which
    the longer response has the higher reward, and what the labels say of it is `longer_preferred`; NaN where lengths are not
    known. `outside` counts responses whose length lies outside the curve's.
    """

    n: int
    prompts: int
    accuracy: BeforeAfter
    nll: BeforeAfter
    ece: BeforeAfter
    length_correlation: BeforeAfter
    longer_wins: BeforeAfter
    longer_preferred: float
    outside: int

    def to_json(self) -> dict[str, Any]:
        """Plain values by the names of the fields."""
        figures = ("accuracy", "nll", "ece", "length_correlation", "longer_wins")
        return {
            "n": self.n,
            "prompts": self.prompts,
            **{name: getattr(self, name).to_json() for name in figures},
            "longer_preferred": plain(self.longer_preferred),
            "outside": self.outside,
        }


def log_odds(probability: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """log(p / (1 - p)): the margin whose sigma is p."""
    return np.asarray(np.log(probability) - np.log1p(-probability))


def measure_effect(pairs: ScoredPairs, found: AppliedCalibration, *, seed: int = 0) -> CalibrationEffect:
    """Compare raw and calibrated rewards on the same comparisons, by prompts; without a decided one all figures are NaN."""
    rows = pairs.counting
    preference, weight, cluster = pairs.preference[rows], pairs.weight[rows], pairs.cluster[rows]
    raw, corrected = pairs.margin(pairs.reward)[rows], pairs.margin(found.reward)[rows]
    sure = log_odds(found.probability[rows])
    return CalibrationEffect(
        n=int(rows.sum()),
        prompts=int(np.unique(cluster).size),
        accuracy=accuracy_effect(pairs, raw, corrected, seed=seed),
        nll=mean_effect(nll_values(raw, preference), nll_values(sure, preference), weight, cluster, seed=seed),
        ece=BeforeAfter(ece(raw, preference, weight=weight), ece(sure, preference, weight=weight)),
        length_correlation=BeforeAfter(
            correlation(pairs.reward, pairs.length), correlation(found.reward, pairs.length)
        ),
        longer_wins=BeforeAfter(longer_share(pairs, raw), longer_share(pairs, corrected)),
        longer_preferred=longer_share(pairs, preference - 0.5),
        outside=found.outside,
    )


def accuracy_effect(
    pairs: ScoredPairs, raw: Float[np.ndarray, " N"], corrected: Float[np.ndarray, " N"], *, seed: int
) -> BeforeAfter:
    """Accuracy before and after with the paired interval."""
    rows = pairs.counting
    weight = pairs.weight[rows]
    before, after = (weighted_mean(correctness(margin), weight) for margin in (raw, corrected))
    if not rows.any():
        return BeforeAfter(before, after)
    compared = compare_margins(
        corrected,
        raw,
        preference=pairs.preference[rows],
        cluster=pairs.cluster[rows],
        weight=weight,
        rng=np.random.default_rng(seed),
    )
    return BeforeAfter(before, after, compared.interval)


def mean_effect(
    before: Float[np.ndarray, " N"],
    after: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    cluster: Any,
    *,
    seed: int,
) -> BeforeAfter:
    """A mean without bounds before and after; the interval of the difference by a bootstrap of prompts."""
    found = BeforeAfter(weighted_mean(before, weight), weighted_mean(after, weight))
    index, clusters = cluster_index(cluster)
    if not clusters:
        return found
    statistic = ratio_statistic(after - before, weight, index=index)
    rng = np.random.default_rng(seed)
    interval = cluster_intervals({"difference": statistic}, clusters=clusters, rng=rng)["difference"]
    return BeforeAfter(found.before, found.after, interval)


def correlation(reward: Float[np.ndarray, " R"], length: Float[np.ndarray, " R"]) -> float:
    """Pearson's correlation; NaN where one of the two does not vary."""
    if reward.size < CORRELATED or np.ptp(reward) == 0 or np.ptp(length) == 0:
        return math.nan
    return float(np.corrcoef(reward, length)[0, 1])


def longer_share(pairs: ScoredPairs, margin: Float[np.ndarray, " N"]) -> float:
    """Of the decided comparisons with unequal lengths, the share in which the longer response has the positive margin."""
    rows = pairs.counting
    gap = (pairs.length[pairs.preferred] - pairs.length[pairs.other])[rows]
    unequal = gap != 0
    longer = correctness(margin[unequal] * np.sign(gap[unequal]))
    return weighted_mean(longer, pairs.weight[rows][unequal])
