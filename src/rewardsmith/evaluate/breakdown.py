"""Where a model is right: the accuracy by bins of what is known about a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from rewardsmith.evaluate.comparisons import Comparisons
from rewardsmith.evaluate.metrics import correctness, decided
from rewardsmith.evaluate.statistics import Interval, clustered_mean, group_gap, holm

QUANTILES = 5
"""Bins of a number with many values: each then has a fifth of the comparisons."""

FEW_VALUES = 6
"""A number with at most so many distinct values (votes of five judges) gets a bin for each."""

MANY_TURNS = 4
"""Dialogues from here on share a bin."""


@dataclass(frozen=True, slots=True)
class Group:
    """The accuracy on the `n` decided comparisons of a bin, and how far it is from that on all others.

    `gap` is the accuracy here minus that of the rest with its own 95 % interval, `p_value` of no gap, adjusted by Holm for
    all bins of one table being looked at: one of 23 equal categories is below 0.05 in at most 5 % of evaluations. NaN where
    there is no rest.
    """

    label: str
    n: int
    accuracy: float
    interval: Interval
    gap: float
    gap_interval: Interval
    p_value: float


Bins = Mapping[str, Bool[np.ndarray, " N"]]


def group_accuracy(comparisons: Comparisons, bins: Bins) -> tuple[Group, ...]:
    """Accuracy with a 95 % interval in every bin that holds a decided comparison, in the order of `bins`."""
    usable = decided(comparisons.preference) & (comparisons.weight > 0)
    filled = {label: usable & where for label, where in bins.items() if (usable & where).any()}
    right, weight, cluster = correctness(comparisons.margin), comparisons.weight, comparisons.cluster
    gaps = [group_gap(right, weight, cluster=cluster, one=rows, other=usable & ~rows) for rows in filled.values()]
    p_values = holm([gap.p_value() for gap in gaps])
    found = []
    for (label, rows), gap, p_value in zip(filled.items(), gaps, p_values, strict=True):
        here = clustered_mean(right[rows], weight[rows], cluster=cluster[rows])
        found.append(Group(label, int(rows.sum()), here.value, here.interval(), gap.value, gap.interval(), p_value))
    return tuple(found)


def by_category(comparisons: Comparisons) -> tuple[Group, ...]:
    """Accuracy per category in alphabetical order; empty where no categories are known.

    Where Chinese and English both occur, `language: en`, `language: zh` and `language: other` follow, over the same
    comparisons again.
    """
    bins: dict[str, Bool[np.ndarray, " N"]] = {}
    if comparisons.category is not None:
        bins = {str(name): comparisons.category == name for name in np.unique(comparisons.category)}
    found = group_accuracy(comparisons, bins)
    if comparisons.language is not None and {"en", "zh"} <= set(comparisons.language.tolist()):
        languages = np.unique(comparisons.language)
        spoken = {f"language: {name}": comparisons.language == name for name in languages}
        found += group_accuracy(comparisons, spoken)
    return found


def by_difficulty(comparisons: Comparisons) -> dict[str, tuple[Group, ...]]:
    """Accuracy by what makes a comparison easy or hard, as far as it is known.

    `label_strength` and `preference` (where judges differ), `length_difference` in words, signed, preferred minus
    other, `preferred_is` shorter, equal or longer, and `turns`. Bins without a decided comparison are left out.
    """
    ways: dict[str, Bins] = {}
    rows = decided(comparisons.preference)
    if comparisons.label_strength is not None and not np.isnan(comparisons.label_strength).all():
        ways["label_strength"] = value_bins(comparisons.label_strength)
    if np.unique(comparisons.preference[rows]).size > 1:
        ways["preference"] = value_bins(np.where(rows, comparisons.preference, np.nan))
    if comparisons.preferred_length is not None and comparisons.other_length is not None:
        difference = comparisons.preferred_length.astype(np.float64) - comparisons.other_length.astype(np.float64)
        ways["length_difference"] = value_bins(difference)
        ways["preferred_is"] = {"shorter": difference < 0, "equal": difference == 0, "longer": difference > 0}
    if comparisons.turns is not None:
        ways["turns"] = turn_bins(comparisons.turns)
    found = {name: group_accuracy(comparisons, bins) for name, bins in ways.items()}
    return {name: groups for name, groups in found.items() if groups}


def value_bins(value: Float[np.ndarray, " N"], *, quantiles: int = QUANTILES) -> dict[str, Bool[np.ndarray, " N"]]:
    """A bin per value where there are few, else bins of about equal size; unknown (NaN) values have a bin of their own.

    A bin's label gives the range that its values span. Equal values are never parted, so bins may be uneven.
    """
    spans: list[tuple[float, float, Bool[np.ndarray, " N"]]] = []
    known = ~np.isnan(value)
    values = np.unique(value[known])
    if values.size <= FEW_VALUES:
        spans = [(float(number), float(number), value == number) for number in values]
    else:
        inner = np.unique(np.quantile(value[known], np.arange(1, quantiles) / quantiles, method="inverted_cdf"))
        place = np.searchsorted(inner, value, side="left")
        for number in range(inner.size + 1):
            where = known & (place == number)
            if where.any():
                spans.append((float(value[where].min()), float(value[where].max()), where))
    labels = span_labels([(low, high) for low, high, _ in spans])
    bins = {label: where for label, (_, _, where) in zip(labels, spans, strict=True)}
    if not known.all() and known.any():
        bins["unknown"] = ~known
    return bins


def span_labels(spans: list[tuple[float, float]]) -> list[str]:
    """`low … high`, or one number where they are the same, with as few digits as keep the labels apart."""
    for digits in (4, 8, 17):
        pairs = [(f"{low:.{digits}g}", f"{high:.{digits}g}") for low, high in spans]
        labels = [low if low == high else f"{low} … {high}" for low, high in pairs]
        if len(set(labels)) == len(labels):
            break
    return labels


def turn_bins(turns: npt.NDArray[np.integer]) -> dict[str, Bool[np.ndarray, " N"]]:
    """1, 2, 3 and 4+ turns, as far as they occur."""
    bins = {str(number): turns == number for number in np.unique(turns[turns < MANY_TURNS])}
    return {**bins, f"{MANY_TURNS}+": turns >= MANY_TURNS}
