"""A model on both sides of a simple rule: where the rule is right, and where following it would mislead."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from rewardsmith.evaluate import metrics
from rewardsmith.evaluate.comparisons import Comparisons
from rewardsmith.evaluate.statistics import Interval, cluster_index, cluster_intervals, no_interval, ratio_statistic

RESAMPLES = 1000
"""Of the intervals here: their ends to a point."""


@dataclass(frozen=True, slots=True)
class RuleSide:
    """n comparisons of a side, the model's accuracy there, and its interval over prompts."""

    n: int
    accuracy: float
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        ends = None if math.isnan(self.interval.low) else [float(self.interval.low), float(self.interval.high)]
        return {"n": self.n, "accuracy": None if math.isnan(self.accuracy) else self.accuracy, "accuracy_ci": ends}


@dataclass(frozen=True, slots=True)
class RuleSides:
    """The model where a rule `leads` to the preferred response, and where it `misleads`.

    `agreement` is the share of weight on which both prefer the same response, among comparisons where the rule prefers
    one: a model that only repeats the rule has an agreement near 1, so an accuracy near 1 where it leads and near 0 where
    it misleads; one that has nothing to do with the rule is as accurate on both sides.
    """

    leads: RuleSide
    misleads: RuleSide
    agreement: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"leads": self.leads.to_json(), "misleads": self.misleads.to_json(), "agreement": self.agreement}


def sides_of(rule: Float[np.ndarray, " N"], rows: Comparisons) -> RuleSides | None:
    """Both sides of the rule with these margins, on decided comparisons; None where it prefers nothing or is not known."""
    if np.isnan(rule).any() or not np.any(rule):
        return None
    told = rule != 0
    same = (np.sign(rows.margin) == np.sign(rule))[told].astype(np.float64)
    agreement = metrics.weighted_mean(same, rows.weight[told])
    return RuleSides(side_of(rule > 0, rows), side_of(rule < 0, rows), agreement)


def side_of(chosen: Bool[np.ndarray, " N"], rows: Comparisons) -> RuleSide:
    """The model on the chosen comparisons."""
    right, weight = metrics.correctness(rows.margin[chosen]), rows.weight[chosen]
    index, clusters = cluster_index(rows.cluster[chosen])
    if not clusters:
        return RuleSide(0, math.nan, no_interval(0))
    found = cluster_intervals(
        {"accuracy": ratio_statistic(right, weight, index=index)},
        clusters=clusters,
        rng=np.random.default_rng(0),
        bounds={"accuracy": (0.0, 1.0)},
        resamples=RESAMPLES,
    )
    return RuleSide(int(chosen.sum()), metrics.weighted_mean(right, weight), found["accuracy"])
