"""How well the disagreement of an ensemble's members tells which of its comparisons are wrong.

The disagreement of a comparison is the standard deviation over the members (divided by their number) of r_i - r_j:
comparisons leave each member's level open, so the spread of one reward would hold those levels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.evaluate import calibration, metrics
from rewardsmith.evaluate.figures import ends, plain
from rewardsmith.evaluate.members.spread import SpreadFit, cross_fitted_spread, fit_spread
from rewardsmith.evaluate.statistics import (
    RESAMPLES,
    SHARE,
    Interval,
    Statistic,
    cluster_index,
    cluster_intervals,
    clustered_mean,
    no_interval,
    point_value,
    ratio_statistic,
)

THIRDS = ("low", "middle", "high")


@dataclass(frozen=True)
class MemberMargins:
    """C comparisons under an ensemble: its own margins, those of its M members on one scale, and the labels.

    `cluster` numbers prompts. All of shape (C,) but `members`.
    """

    margin: Float[np.ndarray, " C"]
    members: Float[np.ndarray, "C M"]
    preference: Float[np.ndarray, " C"]
    weight: Float[np.ndarray, " C"]
    cluster: Int[np.ndarray, " C"]

    @property
    def std(self) -> Float[np.ndarray, " C"]:
        """The disagreement of each comparison."""
        return np.asarray(self.members.std(axis=1))

    def decided(self) -> "MemberMargins":
        """The comparisons with a preferred response and weight."""
        return self.take(metrics.decided(self.preference) & (self.weight > 0))

    def take(self, rows: Bool[np.ndarray, " C"]) -> "MemberMargins":
        """Some of the comparisons."""
        return MemberMargins(
            self.margin[rows], self.members[rows], self.preference[rows], self.weight[rows], self.cluster[rows]
        )


@dataclass(frozen=True)
class Estimated:
    """A number and its 95 % interval over prompts."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Disagreement:
    """What the members' disagreement says on `n` decided comparisons; NaN = cannot be said.

    `accuracies` are the members' own, `agreement` the mean share of comparisons on which two members prefer the same
    response. `auroc` is the probability that a wrong comparison has a larger disagreement than a right one, `auroc_margin`
    that it has a smaller |margin|, `auroc_ratio` a smaller |margin| / disagreement; 0.5 tells nothing. `spearman` is the
    rank correlation of disagreement and |preference - sigma(margin / T)|. `thirds` are the accuracies at low, middle and
    high disagreement. `fit` is `spread.fit_spread` on `fitted_on`; `nll_gain` the NLL with the temperature alone minus that
    with the disagreement as well, above 0 where it helps.
    """

    n: int
    accuracies: tuple[float, ...]
    agreement: float
    mean_std: float
    auroc: Estimated
    auroc_margin: Estimated
    auroc_ratio: Estimated
    spearman: float
    thirds: Mapping[str, Estimated]
    fit: SpreadFit | None
    fitted_on: str
    nll_gain: Estimated

    def to_json(self) -> dict[str, Any]:
        """Plain values for `evaluation.json`, NaN as None."""
        names = ("auroc", "auroc_margin", "auroc_ratio", "nll_gain")
        told = {key: value for name in names for key, value in estimate_json(name, getattr(self, name)).items()}
        return {
            "n": self.n,
            "members": [{"accuracy": plain(value)} for value in self.accuracies],
            "agreement": plain(self.agreement),
            "mean_std": plain(self.mean_std),
            **told,
            "spearman": plain(self.spearman),
            "by_disagreement": {name: estimate_json("accuracy", one) for name, one in self.thirds.items()},
            "spread_temperature": None if self.fit is None else self.fit.temperature,
            "spread_factor": None if self.fit is None else self.fit.factor,
            "fitted_on": self.fitted_on,
        }


def estimate_json(name: str, one: Estimated) -> dict[str, Any]:
    """A number under its name and its interval under `NAME_ci`."""
    return {name: plain(one.value), f"{name}_ci": ends(one.interval)}


def disagreement_of(
    rows: MemberMargins, *, validation: MemberMargins | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> Disagreement:
    """Measure the members on comparisons; T and f are fitted on `validation`, without one on the other folds by prompt."""
    rows = rows.decided()
    held = None if validation is None else validation.decided()
    index, clusters = cluster_index(rows.cluster)
    right, std = metrics.correctness(rows.margin), rows.std
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(std > 0, np.abs(rows.margin) / std, np.inf)
    scores = {"auroc": std, "auroc_margin": -np.abs(rows.margin), "auroc_ratio": -ratio}
    found = {name: separation(score, right < 0.5, rows.weight, index) for name, score in scores.items() if len(score)}
    areas = estimated(found, clusters, seed=seed, resamples=resamples)
    nothing = Estimated(math.nan, no_interval(clusters))
    fit, source, plain_margin, scaled = fitted(rows, held, seed=seed)
    return Disagreement(
        n=len(right),
        accuracies=tuple(map(float, member_accuracies(rows))),
        agreement=agreement_of(rows),
        mean_std=metrics.weighted_mean(std, rows.weight),
        auroc=areas.get("auroc", nothing),
        auroc_margin=areas.get("auroc_margin", nothing),
        auroc_ratio=areas.get("auroc_ratio", nothing),
        spearman=rank_correlation(std, np.abs(rows.preference - metrics.sigmoid(plain_margin))),
        thirds=thirds_of(std, right, rows),
        fit=fit,
        fitted_on=source,
        nll_gain=gain_of(rows, plain_margin, scaled, index, clusters, seed=seed, resamples=resamples),
    )


def member_accuracies(rows: MemberMargins) -> list[float]:
    """The accuracy of each member."""
    return [metrics.accuracy(one, rows.preference, weight=rows.weight) for one in rows.members.T]


def agreement_of(rows: MemberMargins) -> float:
    """The mean share of comparisons on which two members prefer the same response."""
    signs = np.sign(rows.members.T)
    shares = [metrics.weighted_mean((a == b).astype(float), rows.weight) for a, b in combinations(signs, 2)]
    return float(np.mean(shares)) if shares else math.nan


def separation(
    score: Float[np.ndarray, " N"],
    positive: Bool[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    index: Int[np.ndarray, " N"],
) -> Statistic:
    """The area under the ROC curve of `score` for `positive` (ties half; Hanley & McNeil 1982) as a Statistic."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    below = np.searchsorted(ordered, score, side="left")
    through = np.searchsorted(ordered, score, side="right")

    def statistic(counts: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        values = []
        for row in counts:  # one at a time: a block of them would need memory of its size
            mass = row[index] * weight
            negative = np.concatenate([[0.0], np.cumsum(np.where(positive, 0.0, mass)[order])])
            ahead = np.where(positive, mass, 0.0) @ (negative[below] + negative[through]) / 2
            both = mass[positive].sum() * negative[-1]
            values.append(ahead / both if both > 0 else math.nan)
        return np.array(values)

    return statistic


def estimated(statistics: Mapping[str, Statistic], clusters: int, *, seed: int, resamples: int) -> dict[str, Estimated]:
    """The value and the interval of each area."""
    if not statistics:
        return {}
    bounds = dict.fromkeys(statistics, SHARE)
    rng = np.random.default_rng(seed)
    found = cluster_intervals(statistics, clusters=clusters, rng=rng, bounds=bounds, resamples=resamples)
    return {name: Estimated(point_value(one, clusters), found[name]) for name, one in statistics.items()}


def rank_correlation(one: Float[np.ndarray, " N"], other: Float[np.ndarray, " N"]) -> float:
    """Spearman's rho, ties with their mean rank; NaN where one of the two is constant or not known."""
    if one.size < 2 or np.isnan(other).any() or np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def thirds_of(
    std: Float[np.ndarray, " N"], right: Float[np.ndarray, " N"], rows: MemberMargins
) -> dict[str, Estimated]:
    """The accuracy in each third of the comparisons by disagreement; {} where they are not told apart."""
    if std.size < len(THIRDS) or np.ptp(std) == 0:
        return {}
    bins = calibration.equal_mass_bins(std, rows.weight, bins=len(THIRDS))
    found = {}
    for number, name in enumerate(THIRDS):
        chosen = bins == number
        mean = clustered_mean(right[chosen], rows.weight[chosen], cluster=rows.cluster[chosen])
        found[name] = Estimated(mean.value, mean.interval())
    return found


def fitted(
    rows: MemberMargins, held: MemberMargins | None, *, seed: int
) -> tuple[SpreadFit | None, str, Float[np.ndarray, " N"], Float[np.ndarray, " N"] | None]:
    """The fit, on what, the margins after the temperature alone, and after the disagreement too (None: not fitted)."""
    source = rows if held is None else held
    fit = fit_spread(source.margin, source.std, source.preference, weight=source.weight)
    if held is not None:
        temperature = calibration.fit_temperature(held.margin, held.preference, weight=held.weight)
        scaled = None if fit is None else fit.scaled(rows.margin, rows.std)
        return fit, "validation", rows.margin / temperature, scaled
    margin, std, preference, weight, cluster = rows.margin, rows.std, rows.preference, rows.weight, rows.cluster
    alone = calibration.cross_fitted_margin(margin, preference, cluster=cluster, weight=weight, seed=seed)
    scaled = cross_fitted_spread(margin, std, preference, cluster=cluster, weight=weight, seed=seed)
    return fit, "5-fold by prompt", alone, scaled


def gain_of(
    rows: MemberMargins,
    alone: Float[np.ndarray, " N"],
    scaled: Float[np.ndarray, " N"] | None,
    index: Int[np.ndarray, " N"],
    clusters: int,
    *,
    seed: int,
    resamples: int,
) -> Estimated:
    """NLL with the temperature alone minus NLL with the disagreement as well."""
    if scaled is None or np.isnan(alone).any() or not alone.size:
        return Estimated(math.nan, no_interval(clusters))
    better = metrics.nll_values(alone, rows.preference) - metrics.nll_values(scaled, rows.preference)
    statistic = ratio_statistic(better, rows.weight, index=index)
    rng = np.random.default_rng(seed)
    interval = cluster_intervals({"gain": statistic}, clusters=clusters, rng=rng, resamples=resamples)["gain"]
    return Estimated(point_value(statistic, clusters), interval)
