"""What rewards follow in the data as it is: length, layout and tone, given the label.

For each comparison, margin and feature are differences between the preferred response and the other. Fitted with an
intercept, which takes up the label, the slope says how the reward moves with the feature between responses that are
labelled alike. This is an association, not an effect: longer responses may be better in ways that a label does not show.
The edits of `counterfactual` change one thing only.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.audit.effect import Effect, Scale, interval_of, mean_with_interval, p_value
from rewardsmith.diagnose.finding import Said
from rewardsmith.evaluate.metrics import correctness
from rewardsmith.evaluate.statistics import Statistic, cluster_index, point_value
from rewardsmith.quality.shortcuts.features import FEATURES
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import Record

LIKE_LENGTHS = math.log2(1.1)
"""Responses whose lengths differ by at most 10 % count as equally long."""

TITLES: Mapping[str, Said] = {
    "list_items": Said("more list items", "列表项更多"),
    "markdown": Said("more Markdown", "Markdown 更多"),
    "code": Said("more code", "代码更多"),
    "refusal": Said("begins with a refusal", "以拒绝开头"),
    "hedging": Said("hedges more", "措辞更含糊"),
    "exclamation_marks": Said("more exclamation marks", "感叹号更多"),
    "question_marks": Said("more question marks", "问号更多"),
    "emoji": Said("more emoji", "表情符号更多"),
}
"""The features looked at beside length: those of `quality.shortcuts.features` that do not count length again."""

FEWEST_DIFFERENCES = 10
"""Comparisons whose responses differ in a feature, under which no slope is fitted."""


@dataclass(frozen=True, eq=False)
class LabelledDifferences:
    """Decided comparisons: margin of the preferred response, its features less the other's, and its prompt, shape (N,)."""

    margin: Float[np.ndarray, " N"]
    doublings: Float[np.ndarray, " N"]
    more: Mapping[str, Float[np.ndarray, " N"]]
    cluster: Int[np.ndarray, " N"]


def differences_of(records: Sequence[Record], rewards: Sequence[Float[np.ndarray, " K"]]) -> LabelledDifferences | None:
    """The differences over all decided comparisons of weight above 0 whose rewards are known; None where there are none.

    `doublings` is the difference of log2 of the lengths in words, `more[feature]` is 1, 0 or -1.
    """
    clusters: dict[str, int] = {}
    rows = [
        row
        for record, values in zip(records, rewards, strict=True)
        for row in rows_of(record, values, clusters.setdefault(record.prompt_id, len(clusters)))
    ]
    if not rows:
        return None
    table = np.array(rows, dtype=np.float64)
    more = {name: table[:, 3 + k] for k, name in enumerate(TITLES)}
    return LabelledDifferences(table[:, 0], table[:, 1], more, table[:, 2].astype(np.int64))


def rows_of(record: Record, values: Float[np.ndarray, " K"], cluster: int) -> Iterator[tuple[float, ...]]:
    """Margin, doublings, prompt and signs of the features of each decided comparison of a record."""
    measured = [measures_of(response.text) for response in record.responses] if record.comparisons else []
    for c in record.comparisons:
        margin = float(values[c.i] - values[c.j])
        if not c.is_tie and c.weight > 0 and not math.isnan(margin):
            length, *signs = measured[c.i] - measured[c.j]
            yield (margin, float(length), cluster, *map(float, np.sign(signs)))


def measures_of(text: str) -> Float[np.ndarray, " F"]:
    """log2 of the length in words, and the features of TITLES."""
    return np.array([math.log2(max(1, length_in_words(text))), *(FEATURES[name](text) for name in TITLES)])


def slope_statistic(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"], index: Int[np.ndarray, " N"]) -> Statistic:
    """The slope of the least-squares line of y on x with an intercept, from sums over clusters; NaN where x is constant."""
    sums = moments_by_cluster(x, y, index)

    def statistic(counts: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        n, sx, sy, sxx, sxy, _ = (counts @ each for each in sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = sxx - sx**2 / n
            return np.asarray(np.where(spread > 1e-12, (sxy - sx * sy / n) / spread, np.nan))

    return statistic


def correlation_statistic(
    x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"], index: Int[np.ndarray, " N"]
) -> Statistic:
    """Pearson's correlation from sums over clusters; NaN where one of the two is constant."""
    sums = moments_by_cluster(x, y, index)

    def statistic(counts: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        n, sx, sy, sxx, sxy, syy = (counts @ each for each in sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (sxx - sx**2 / n) * (syy - sy**2 / n)
            return np.asarray(np.where(spread > 1e-24, (sxy - sx * sy / n) / np.sqrt(np.abs(spread)), np.nan))

    return statistic


def moments_by_cluster(
    x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"], index: Int[np.ndarray, " N"]
) -> list[Float[np.ndarray, " C"]]:
    """Sums of 1, x, y, x², xy and y² over each cluster."""
    return [np.bincount(index, each) for each in (np.ones(x.size), x, y, x * x, x * y, y * y)]


def observed_effects(found: LabelledDifferences, scale: Scale, *, bound: float, seed: int) -> Iterator[Effect]:
    """How the reward moves with length (a doubling of the words) and with each feature (more of it than the other)."""
    title = Said("twice as long (in words)", "长度加倍（按词数）")
    yield from one_effect("longer", "length", title, found.doublings, found, scale, bound=bound, seed=seed)
    for name, x in found.more.items():
        yield from one_effect(f"more_{name}", "style", TITLES[name], x, found, scale, bound=bound, seed=seed)


def one_effect(
    name: str,
    family: str,
    title: Said,
    x: Float[np.ndarray, " N"],
    found: LabelledDifferences,
    scale: Scale,
    *,
    bound: float,
    seed: int,
) -> Iterator[Effect]:
    """The slope of the margin on one feature; nothing where too few comparisons differ in it, or all alike."""
    if np.count_nonzero(x) < FEWEST_DIFFERENCES or float(x.std()) < 1e-9:
        return
    index, clusters = cluster_index(found.cluster)
    y = found.margin / scale.sd
    statistic = slope_statistic(x, y, index)
    slope = point_value(statistic, clusters)
    yield Effect(
        name=name,
        family=family,
        kind="observed",
        title=title,
        n=int(np.count_nonzero(x)),
        prompts=int(np.unique(found.cluster[x != 0]).size),
        effect=slope * scale.sd,
        effect_sd=slope,
        interval=interval_of(statistic, clusters, seed=seed),
        p=p_value((x - x.mean()) * (y - y.mean()), found.cluster, seed=seed),
        bound=bound,
    )


def length_account(found: LabelledDifferences, *, seed: int) -> dict[str, Any]:
    """Accuracy where the preferred response is longer, shorter or equally long, and the partial correlation of reward and
    length given the label, each with n and a 95 % interval by prompt."""
    right = correctness(found.margin)
    groups = {
        "preferred_longer": found.doublings > LIKE_LENGTHS,
        "preferred_shorter": found.doublings < -LIKE_LENGTHS,
        "equally_long": np.abs(found.doublings) <= LIKE_LENGTHS,
    }
    account: dict[str, Any] = {}
    for name, rows in groups.items():
        value, interval = mean_with_interval(right[rows], found.cluster[rows], bounds=(0.0, 1.0))
        account[name] = {"accuracy": value, "ci": [interval.low, interval.high], "n": int(rows.sum())}
    index, clusters = cluster_index(found.cluster)
    statistic = correlation_statistic(found.doublings, found.margin, index)
    interval = interval_of(statistic, clusters, seed=seed, bounds=(-1.0, 1.0))
    account["partial_correlation"] = {
        "value": point_value(statistic, clusters),
        "ci": [interval.low, interval.high],
        "n": int(found.margin.size),
    }
    return account
