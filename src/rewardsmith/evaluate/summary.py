"""Everything that `rewardsmith evaluate` reports about one model on one set of comparisons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate import calibration, metrics
from rewardsmith.evaluate.baselines import Baseline, Lengths, TextPairs, by_length, constant, longer, tfidf
from rewardsmith.evaluate.breakdown import Group, by_category, by_difficulty
from rewardsmith.evaluate.comparisons import Comparisons, Rankings
from rewardsmith.evaluate.figures import (
    BaselineResult,
    Calibration,
    baseline_json,
    calibration_json,
    ceiling_json,
    ends,
    group_json,
    order_json,
    plain,
)
from rewardsmith.evaluate.folds import fold_count, folds_of_clusters
from rewardsmith.evaluate.inference.noise_floor import NO_FLOOR, NoiseFloor, calibrated_noise_floor, ece_noise_floor
from rewardsmith.evaluate.metrics import Moments
from rewardsmith.evaluate.rankings import Order, order_of
from rewardsmith.evaluate.sides import sides_of
from rewardsmith.evaluate.statistics import (
    FEW_CLUSTERS,
    RESAMPLES,
    SHARE,
    Interval,
    NoiseCeiling,
    auc_statistic,
    cluster_index,
    cluster_intervals,
    clustered_mean,
    no_interval,
    noise_ceiling,
    paired_difference,
    prompts_needed,
    ratio_statistic,
)

NOTHING = Moments(math.nan, math.nan)
WIDTHS = (0.01, 0.03)
"""Half widths of an interval of the accuracy for which the prompts needed are given."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals over prompts. Accuracy and AUC from decided comparisons, NLL with label ties."""

    accuracy: Interval
    auc: Interval
    nll: Interval


@dataclass(frozen=True, slots=True)
class Summary:
    """The evaluation of one model; NaN = cannot be said from these comparisons. See docs/metrics.md for each number.

    `n` counts decided comparisons, `label_ties` undecided ones, `zero_weight` rows that were given the weight 0 and
    play no part. `clusters` counts the prompts of the decided comparisons. `ceiling` is None without votes.
    """

    n: int
    label_ties: int
    zero_weight: int
    clusters: int
    accuracy: float
    win_rate: float
    tie_rate: float
    auc: float
    nll: float
    brier: float
    intervals: Intervals
    calibration: Calibration
    order: Order
    ceiling: NoiseCeiling | None
    margin: Moments
    reward: Moments
    baselines: tuple[BaselineResult, ...]
    by_category: tuple[Group, ...]
    by_difficulty: Mapping[str, tuple[Group, ...]]

    @property
    def kendall_tau(self) -> float:
        """Mean tau-b of the rankings, however few there are."""
        return self.order.tau.value

    @property
    def best_of_n_accuracy(self) -> float:
        """How often the one best response has the highest reward, however few prompts there are."""
        return self.order.best.value

    @property
    def best_of_n_at_chance(self) -> float:
        """What a constant model gets."""
        return self.order.chance

    @property
    def too_few_prompts(self) -> bool:
        """Whether there are under 30 prompts, too few to speak about others."""
        return self.clusters < FEW_CLUSTERS

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, NaN as None; the keys of `rewardsmith evaluate --json`."""
        return {
            "n": self.n,
            "label_ties": self.label_ties,
            "zero_weight": self.zero_weight,
            "accuracy": plain(self.accuracy),
            "accuracy_ci": ends(self.intervals.accuracy),
            "prompts_needed": {f"{width:g}": prompts_needed(self.intervals.accuracy, width) for width in WIDTHS},
            "win_rate": plain(self.win_rate),
            "tie_rate": plain(self.tie_rate),
            "auc": plain(self.auc),
            "auc_ci": ends(self.intervals.auc),
            "nll": plain(self.nll),
            "nll_ci": ends(self.intervals.nll),
            "nll_at_chance": metrics.NLL_AT_CHANCE,
            "brier": plain(self.brier),
            **calibration_json(self.calibration),
            **order_json(self.order),
            "noise_ceiling": ceiling_json(self.ceiling),
            "margin_mean": plain(self.margin.mean),
            "margin_std": plain(self.margin.std),
            "reward_mean": plain(self.reward.mean),
            "reward_std": plain(self.reward.std),
            "clusters": self.clusters,
            "interval_method": self.intervals.accuracy.method,
            "too_few_prompts": self.too_few_prompts,
            "baselines": {found.name: baseline_json(found) for found in self.baselines},
            "by_category": {group.label: group_json(group) for group in self.by_category},
            "by_difficulty": {
                name: [{"label": group.label, **group_json(group)} for group in groups]
                for name, groups in self.by_difficulty.items()
            },
        }


def summarize(
    comparisons: Comparisons,
    *,
    validation: Comparisons | None = None,
    training: TextPairs | None = None,
    rankings: Rankings | None = None,
    more: Sequence[Baseline] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Summary:
    """Measure one model on `comparisons`.

    The temperature and the direction of the rule by length are fitted on `validation`, the TF-IDF baseline on `training`;
    where one is not given, by 5 folds over prompts, and the result says so. `more` are further rules. Kendall's tau and
    best-of-N come from `rankings`, else tau alone from the response ids. The same seed gives the same numbers.
    """
    used = comparisons.take(comparisons.weight > 0)
    tied = ~metrics.decided(used.preference)
    rows = used.take(~tied)
    judged = np.flatnonzero(comparisons.weight > 0)[~tied]
    others = [replace(rule, margin=rule.margin[judged]) for rule in more]
    rules = baselines(rows, validation=validation, training=training, more=others, seed=seed)
    found = accuracy_intervals(rows, rules)
    margin, preference, weight = rows.margin, rows.preference, rows.weight
    return Summary(
        n=len(rows),
        label_ties=int(tied.sum()),
        zero_weight=len(comparisons) - len(used),
        clusters=int(np.unique(rows.cluster).size),
        accuracy=metrics.accuracy(margin, preference, weight=weight),
        win_rate=metrics.win_rate(margin, preference, weight=weight),
        tie_rate=metrics.tie_rate(margin, preference, weight=weight),
        auc=area(rows),
        nll=metrics.nll(used.margin, used.preference, weight=used.weight),
        brier=metrics.brier(used.margin, used.preference, weight=used.weight),
        intervals=Intervals(found["accuracy"], *unbounded(rows, used, seed=seed, resamples=resamples)),
        calibration=calibrate(rows, validation, seed=seed),
        order=order_of(used, rankings),
        ceiling=ceiling_of(used),
        margin=metrics.moments(margin, weight=weight),
        reward=reward_moments(used),
        baselines=tuple(baseline_result(rule, rows, found) for rule in rules),
        by_category=by_category(used),
        by_difficulty=by_difficulty(used),
    )


def lengths_of(comparisons: Comparisons | None) -> Lengths | None:
    """The decided comparisons of positive weight for the rule by length; None for none, or where lengths are not known."""
    if comparisons is None or comparisons.preferred_length is None or comparisons.other_length is None:
        return None
    rows = comparisons.take((comparisons.weight > 0) & metrics.decided(comparisons.preference))
    if rows.preferred_length is None or rows.other_length is None or not len(rows):
        return None
    return Lengths(longer(rows.preferred_length, rows.other_length).margin, rows.weight, rows.cluster)


def baselines(
    rows: Comparisons,
    *,
    validation: Comparisons | None,
    training: TextPairs | None,
    more: Sequence[Baseline],
    seed: int,
) -> tuple[Baseline, ...]:
    """The rules on decided comparisons, a constant last; the margins of one that needs what is not known are NaN."""
    unknown = np.full(len(rows), np.nan)
    length = Baseline("longer", unknown, "not fitted (the lengths are unknown)")
    if (lengths := lengths_of(rows)) is not None:
        length = by_length(lengths, validation=lengths_of(validation), seed=seed)
    words = Baseline("tfidf", unknown, "not fitted (the texts are unknown)")
    if rows.preferred_text is not None and rows.other_text is not None:
        texts = rows.preferred_text, rows.other_text
        words = tfidf(*texts, cluster=rows.cluster, seed=seed, training=training, weight=rows.weight)
    return length, words, *more, constant(len(rows))


def accuracy_intervals(rows: Comparisons, rules: tuple[Baseline, ...]) -> dict[str, Interval]:
    """Intervals of `accuracy`, of each rule's `NAME`, and of `accuracy - NAME` on the same comparisons."""
    right, weight, cluster = metrics.correctness(rows.margin), rows.weight, rows.cluster
    own = clustered_mean(right, weight, cluster=cluster).interval()
    found = {"accuracy": own}
    for rule in rules:
        by_rule = metrics.correctness(rule.margin)
        found[rule.name] = clustered_mean(by_rule, weight, cluster=cluster).interval()
        found[f"accuracy - {rule.name}"] = paired_difference(right, by_rule, weight, cluster=cluster).interval()
    known = 0.5 if len(rows) else math.nan  # what a constant gets is not sampled
    found["constant"] = replace(own, low=known, high=known)
    found["accuracy - constant"] = replace(own, low=own.low - 0.5, high=own.high - 0.5)
    return found


def unbounded(rows: Comparisons, used: Comparisons, *, seed: int, resamples: int) -> tuple[Interval, Interval]:
    """The intervals of AUC and NLL, by bootstrap: the one is no mean, the other has no bounds."""
    return area_interval(rows, seed=seed, resamples=resamples), nll_interval(used, seed=seed, resamples=resamples)


def area_interval(rows: Comparisons, *, seed: int, resamples: int) -> Interval:
    """The interval of the area under the ROC curve; none where only margins are known."""
    index, clusters = cluster_index(rows.cluster)
    if rows.preferred_reward is None or rows.other_reward is None or not clusters:
        return no_interval(clusters)
    statistic = auc_statistic(rows.preferred_reward, rows.other_reward, weight=rows.weight, index=index)
    return cluster_intervals(
        {"auc": statistic},
        clusters=clusters,
        rng=np.random.default_rng(seed),
        bounds={"auc": SHARE},
        resamples=resamples,
    )["auc"]


def baseline_result(rule: Baseline, rows: Comparisons, found: Mapping[str, Interval]) -> BaselineResult:
    """A rule's accuracy and the model's lead over it, with their intervals."""
    accuracy = metrics.accuracy(rule.margin, rows.preference, weight=rows.weight)
    own = metrics.accuracy(rows.margin, rows.preference, weight=rows.weight)
    lead = f"accuracy - {rule.name}"
    return BaselineResult(
        rule.name,
        accuracy,
        found[rule.name],
        own - accuracy,
        found[lead],
        rule.fitted_on,
        rule.direction,
        sides_of(rule.margin, rows),
    )


def area(rows: Comparisons) -> float:
    """The area under the ROC curve of decided comparisons; NaN where only margins are known."""
    if rows.preferred_reward is None or rows.other_reward is None:
        return math.nan
    return metrics.auc(rows.preferred_reward, rows.other_reward, weight=rows.weight)


def nll_interval(used: Comparisons, *, seed: int, resamples: int) -> Interval:
    """The interval of the negative log-likelihood, label ties included."""
    index, clusters = cluster_index(used.cluster)
    statistic = ratio_statistic(metrics.nll_values(used.margin, used.preference), used.weight, index=index)
    rng = np.random.default_rng(seed)
    return cluster_intervals({"nll": statistic}, clusters=clusters, rng=rng, resamples=resamples)["nll"]


def calibrate(rows: Comparisons, validation: Comparisons | None, *, seed: int) -> Calibration:
    """Calibration before and after the temperature, each with the error that chance alone would show."""
    margin, preference, weight = rows.margin, rows.preference, rows.weight
    if validation is not None:
        source: str | None = "validation"
        temperature = calibration.fit_temperature(validation.margin, validation.preference, weight=validation.weight)
        scaled = margin / temperature
    else:
        source = "5-fold by prompt"
        temperature = calibration.fit_temperature(margin, preference, weight=weight)
        scaled = calibration.cross_fitted_margin(margin, preference, cluster=rows.cluster, weight=weight, seed=seed)
    usable = not math.isnan(temperature) and not np.isnan(scaled).any()
    rng = np.random.default_rng(seed)
    floor = ece_noise_floor(margin, preference, weight=weight, cluster=rows.cluster, rng=rng)
    after = floor_after(rows, validation, temperature, seed=seed) if usable else NO_FLOOR
    return Calibration(
        ece=calibration.ece(margin, preference, weight=weight),
        ece_calibrated=calibration.ece(scaled, preference, weight=weight) if usable else math.nan,
        floor=floor,
        floor_calibrated=after,
        temperature=temperature if usable else math.nan,
        source=source if usable else None,
        raw=calibration.reliability(margin, preference, weight=weight, cluster=rows.cluster),
        calibrated=calibration.reliability(scaled, preference, weight=weight, cluster=rows.cluster) if usable else (),
    )


def floor_after(rows: Comparisons, validation: Comparisons | None, temperature: float, *, seed: int) -> NoiseFloor:
    """The noise floor after the temperature, fitted anew as it was: on validation, else on the other folds."""
    fold = folds_of_clusters(rows.cluster, seed=seed, folds=fold_count(rows.cluster))
    margin, preference, weight, cluster = rows.margin, rows.preference, rows.weight, rows.cluster
    judged = np.ones(len(rows), dtype=bool)
    parts = [(fold != number, fold == number) for number in np.unique(fold)]
    if validation is not None:
        used = validation.take((validation.weight > 0) & metrics.decided(validation.preference))
        margin, preference = np.concatenate([used.margin, margin]), np.concatenate([used.preference, preference])
        weight = np.concatenate([used.weight, weight])
        cluster = np.concatenate([used.cluster - used.cluster.max(initial=0) + cluster.min(initial=0) - 1, cluster])
        judged = np.arange(margin.size) >= len(used)
        parts = [(~judged, judged)]
    rng = np.random.default_rng(seed)
    return calibrated_noise_floor(
        margin / temperature, preference, rng=rng, parts=parts, judged=judged, weight=weight, cluster=cluster
    )


def ceiling_of(used: Comparisons) -> NoiseCeiling | None:
    """The ceiling from the annotators' votes, label ties included: without them agreement would look better than it is."""
    if used.preferring is None or used.votes is None:
        return None
    preferring, votes = used.preferring.astype(np.float64), used.votes.astype(np.float64)
    return noise_ceiling(preferring, votes, used.weight, cluster=used.cluster)


def reward_moments(used: Comparisons) -> Moments:
    """Mean and spread of the rewards on both sides, label ties included; a response counts once per comparison."""
    if used.preferred_reward is None or used.other_reward is None:
        return NOTHING
    rewards: Float[np.ndarray, " M"] = np.concatenate([used.preferred_reward, used.other_reward])
    return metrics.moments(rewards, weight=np.concatenate([used.weight, used.weight]))
