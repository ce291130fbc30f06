"""A benchmark's score as a tree: means over items at its leaves, averages of sections above, an interval for each node.

Sections have different numbers of items and an overall score is often the mean of sections, so its error is not that of one
pooled mean. Every node is a weighted sum of the means at its leaves, and `evaluate.statistics` gives that an interval.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.evaluate.statistics import SHARE, Combination, Interval, PartValues, combine_means, no_interval


@dataclass(frozen=True, eq=False)
class Mean:
    """Weighted mean of one value per item over the items of weight above 0; `bounds` is the range of the value."""

    name: str
    value: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    bounds: tuple[float, float] = SHARE

    @cached_property
    def used(self) -> Bool[np.ndarray, " N"]:
        """The items that count."""
        return np.asarray(self.weight > 0)

    def leaves(self) -> "Iterator[tuple[Mean, float]]":
        """Itself, once."""
        yield self, 1.0


@dataclass(frozen=True, eq=False)
class Average:
    """Weighted average of the parts that have items; with `total` the weighted sum of all, not divided by the weights.

    `bounds` are those of a score that is such a sum only near its value; its interval is cut to them.
    """

    name: str
    parts: Sequence["ScoreNode"]
    weights: Sequence[float] = ()
    total: bool = False
    bounds: tuple[float, float] | None = None

    @cached_property
    def weighted(self) -> list[tuple["ScoreNode", float]]:
        """The parts that have items, with their weights."""
        weights = self.weights or [1.0] * len(self.parts)
        return [(part, weight) for part, weight in zip(self.parts, weights, strict=True) if part.used.any()]

    @cached_property
    def used(self) -> Bool[np.ndarray, " N"]:
        """The items that count in any part."""
        return np.asarray(np.any([part.used for part in self.parts], axis=0))

    def leaves(self) -> Iterator[tuple[Mean, float]]:
        """The means below, each with its coefficient in this average."""
        divisor = 1.0 if self.total else float(sum(weight for _, weight in self.weighted))
        for part, weight in self.weighted:
            for leaf, coefficient in part.leaves():
                yield leaf, coefficient * weight / divisor


ScoreNode = Mean | Average


@dataclass(frozen=True)
class Alternative:
    """Another number for the same data, and why it is given beside the published one."""

    node: ScoreNode
    why: str


@dataclass(frozen=True)
class Scores:
    """What a rule finds: the published score, sections that the data lack, other breakdowns of the same items, and other
    numbers where a rule has a defect."""

    overall: ScoreNode
    missing: tuple[str, ...] = ()
    groups: tuple[ScoreNode, ...] = ()
    also: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class MeasuredScore:
    """One node: its path of names below the overall score (() for that itself), value, interval, items and prompts."""

    path: tuple[str, ...]
    value: float
    interval: Interval
    items: int

    @property
    def name(self) -> str:
        """The names joined by a slash."""
        return "/".join(self.path)


def measured(
    node: ScoreNode,
    cluster: Int[np.ndarray, " N"],
    *,
    seed: int = 0,
    path: tuple[str, ...] = (),
    known: Collection[int] = (),
) -> Iterator[MeasuredScore]:
    """The node and all below it that have items, each with a 95 % interval over its own prompts.

    What has an id among the `known` ones is left out below the node.
    """
    found = combined(node, cluster)
    interval = no_interval(0) if found is None else found.interval()
    if isinstance(node, Average) and node.bounds is not None:
        interval = replace(interval, low=max(interval.low, node.bounds[0]), high=min(interval.high, node.bounds[1]))
    yield MeasuredScore(path, float("nan") if found is None else found.value, interval, int(node.used.sum()))
    for part, _ in node.weighted if isinstance(node, Average) else ():
        if id(part) not in known:
            yield from measured(part, cluster, seed=seed, path=(*path, part.name), known=known)


def nodes_of(node: ScoreNode) -> Iterator[ScoreNode]:
    """The node and all below it."""
    yield node
    for part in node.parts if isinstance(node, Average) else ():
        yield from nodes_of(part)


def combined(node: ScoreNode, cluster: Int[np.ndarray, " N"]) -> Combination | None:
    """The node as a combination of means; None without items."""
    leaves = list(node.leaves()) if node.used.any() else []
    if not leaves:
        return None
    parts = [PartValues(leaf.value, leaf.weight, leaf.bounds) for leaf, _ in leaves]
    return combine_means(parts, cluster=cluster, coefficients=np.array([each for _, each in leaves], dtype=np.float64))


def value_of(node: ScoreNode) -> float:
    """The node's value alone, NaN without items."""
    leaves = node.leaves() if node.used.any() else iter(())
    means = [
        coefficient * np.average(leaf.value[leaf.used], weights=leaf.weight[leaf.used]) for leaf, coefficient in leaves
    ]
    return float(np.sum(means)) if means else float("nan")
