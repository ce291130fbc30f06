"""The compared pairs of an evaluation: numbers of all, texts of the worst errors only, so that memory stays small."""

import heapq
import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.errors import DataError
from rewardsmith.evaluate.metrics import correctness, weighted_mean
from rewardsmith.evaluate.statistics import Combination, clustered_mean, group_gap

WORST_KEPT = 500
"""Errors whose texts are kept for the report: enough to search and filter; the page decides how much of each it shows."""

FEWEST_ROUNDED = 20
"""Different rewards from which all of them being short numbers is no accident: one in fp32 is with odds of 1 to 65,536."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A comparison that the model ranked against the label; `margin` < 0 is preferred minus other.

    `key` is the record's id and the numbers of both responses, where they are known.
    """

    place: str
    category: str
    margin: float
    preference: float
    preferred_reward: float
    other_reward: float
    length_difference: float
    prompt: str
    preferred: str
    other: str
    key: tuple[str, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """One entry per comparison, shape (N,); rewards are raw, lengths in the unit of the evaluation, NaN = unknown.

    `margin` is preferred minus other; at `preference` 0.5 the judges were undecided and neither is preferred.
    `worst` are the errors with the most negative margin, worst first, at most WORST_KEPT of the `errors` there are.
    `texts` and `rewards` count the different responses to their prompts, and the different rewards that they got.
    `weight` >= 0 (None: all 1), where 0 takes a comparison out; `cluster` the number of its prompt (None: each its own).
    """

    margin: Numbers
    preference: Numbers
    preferred_reward: Numbers
    other_reward: Numbers
    length_difference: Numbers
    worst: tuple[Mistake, ...] = ()
    errors: int = 0
    weight: Numbers | None = None
    cluster: npt.NDArray[np.int64] | None = None
    texts: int = 0
    rewards: int = 0

    @property
    def effective(self) -> float:
        """As how many comparisons of equal weight they count: (sum of weights)^2 / sum of their squares (Kish 1965)."""
        weights = self.weights[self.decided]
        squares = float((weights**2).sum())
        return float(weights.sum()) ** 2 / squares if squares else 0.0

    @property
    def rounded_to(self) -> str:
        """The low precision that all rewards can be written in without loss, bf16 or fp16; "" where they are finer."""
        rewards = np.concatenate([self.preferred_reward, self.other_reward])
        rewards = np.unique(rewards[np.isfinite(rewards) & (rewards != 0)]).astype(np.float32)
        if rewards.size < FEWEST_ROUNDED:
            return ""
        if not (rewards.view(np.uint32) & 0xFFFF).any():
            return "bf16"
        with np.errstate(over="ignore"):
            halves = rewards.astype(np.float16).astype(np.float32)
        return "fp16" if (halves == rewards).all() else ""

    @property
    def weights(self) -> Numbers:
        """The weight of each comparison."""
        return np.ones(self.margin.size) if self.weight is None else self.weight

    @property
    def clusters(self) -> npt.NDArray[np.int64]:
        """The prompt of each comparison."""
        return np.arange(self.margin.size) if self.cluster is None else self.cluster

    @property
    def used(self) -> npt.NDArray[np.bool_]:
        """Which comparisons have weight."""
        return self.weights > 0

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Which comparisons have weight, a preferred side and a margin."""
        return self.used & (self.preference > 0.5) & ~np.isnan(self.margin)

    @property
    def unscored(self) -> int:
        """Comparisons of weight whose margin is not a number."""
        return int((self.used & np.isnan(self.margin)).sum())

    def accuracy(self, where: npt.NDArray[np.bool_]) -> float:
        """Share correct of the chosen comparisons' weight, a predicted tie worth one half; NaN for none."""
        return weighted_mean(correctness(self.margin[where]), self.weights[where])

    def interval(self, where: npt.NDArray[np.bool_]) -> Interval95:
        """95 % interval of that accuracy, over prompts."""
        right, weight = correctness(self.margin[where]), self.weights[where]
        found = clustered_mean(right, weight, cluster=self.clusters[where]).interval()
        return Interval95(found.low, found.high)

    def difference(self, one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> Interval95:
        """95 % interval of the accuracy of `one` minus that of `other`, over prompts; one prompt may have both."""
        found = self.gap(one, other).interval()
        return Interval95(found.low, found.high)

    def gap(self, one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> Combination:
        """The same difference, for intervals of any level."""
        return group_gap(correctness(self.margin), self.weights, cluster=self.clusters, one=one, other=other)


def finite(row: Mapping[str, Any], name: str, place: str) -> float:
    """The number `name` of a row; NaN where it is null or absent; DataError for anything else."""
    value = row.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{place}: {name} is {value!r}; expected a number; run evaluate again")
    return float(value)


def preference_of(row: Mapping[str, Any], place: str) -> float:
    """The preference of a row; 1 where it has none, which is a plain chosen and rejected."""
    return 1.0 if row.get("preference") is None else finite(row, "preference", place)


def weight_of(row: Mapping[str, Any], place: str) -> float:
    """The weight of a row, 1 where it has none; DataError for anything that is no finite number >= 0."""
    if row.get("weight") is None:
        return 1.0
    weight = finite(row, "weight", place)
    if not 0 <= weight < math.inf:
        raise DataError(f"{place}: weight is {weight!r}; expected a number >= 0; run evaluate again")
    return weight


class RowNumbers(NamedTuple):
    """The columns of Compared for one comparison."""

    margin: float
    preference: float
    preferred_reward: float
    other_reward: float
    length_difference: float
    weight: float


def numbers_of(row: Mapping[str, Any], place: str) -> RowNumbers:
    """The numbers of a row of `comparisons.jsonl`; see `gather`."""
    preferred, other = finite(row, "reward_i", place), finite(row, "reward_j", place)
    margin = finite(row, "margin", place)
    return RowNumbers(
        preferred - other if math.isnan(margin) else margin,
        preference_of(row, place),
        preferred,
        other,
        finite(row, "length_i", place) - finite(row, "length_j", place),
        weight_of(row, place),
    )


class Distinct:
    """The different responses to their prompts, as hashes, and the different rewards that they got."""

    def __init__(self) -> None:
        self.texts: set[int] = set()
        self.rewards: set[float] = set()

    def add(self, row: Mapping[str, Any], numbers: RowNumbers) -> None:
        """Take a comparison into account."""
        for side, reward in (("text_i", numbers.preferred_reward), ("text_j", numbers.other_reward)):
            if row.get(side) is not None and not math.isnan(reward):
                self.texts.add(hash((row.get("prompt_id"), row[side])))
                self.rewards.add(reward)


def gather(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Compared:
    """Read (place, row) pairs of `comparisons.jsonl` in one pass, keeping the texts of the worst errors.

    A row without a margin takes reward_i - reward_j, one without a weight counts 1, and one without a prompt_id is a prompt
    of its own. Raises DataError for a value that is not a number.
    """
    columns = [array("d") for _ in range(6)]
    prompts: dict[Any, int] = {}
    cluster = array("q")
    worst: list[tuple[float, int, str, Mapping[str, Any]]] = []
    errors = 0
    distinct = Distinct()
    for number, (place, row) in enumerate(rows):
        numbers = numbers_of(row, place)
        for column, value in zip(columns, numbers, strict=True):
            column.append(value)
        distinct.add(row, numbers)
        cluster.append(prompts.setdefault(row.get("prompt_id") or place, len(prompts)))
        if numbers.margin < 0 and numbers.preference > 0.5 and numbers.weight > 0:
            errors += 1
            entry = (-numbers.margin, -number, place, row)
            (heapq.heappush if len(worst) < WORST_KEPT else heapq.heappushpop)(worst, entry)
    found = tuple(mistake(place, row, -lead) for lead, _, place, row in sorted(worst, key=lambda e: (-e[0], -e[1])))
    margin_, preference_, preferred_, other_, length_, weight_ = (np.array(each, dtype=np.float64) for each in columns)
    return Compared(
        margin_,
        preference_,
        preferred_,
        other_,
        length_,
        found,
        errors,
        weight_,
        np.array(cluster, dtype=np.int64),
        len(distinct.texts),
        len(distinct.rewards),
    )


def mistake(place: str, row: Mapping[str, Any], margin: float) -> Mistake:
    """The texts and numbers of one wrongly ranked comparison."""
    source = f"{row['source']}:{row['line']}" if row.get("source") and row.get("line") else place
    return Mistake(
        place=source,
        category=str(row.get("category") or ""),
        margin=margin,
        preference=preference_of(row, place),
        preferred_reward=finite(row, "reward_i", place),
        other_reward=finite(row, "reward_j", place),
        length_difference=finite(row, "length_i", place) - finite(row, "length_j", place),
        prompt=as_text(row.get("prompt")),
        preferred=as_text(row.get("text_i")),
        other=as_text(row.get("text_j")),
        key=key_of(row),
    )


def key_of(row: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """The record's id and the numbers of both responses; None where one is unknown."""
    found = row.get("id"), row.get("i"), row.get("j")
    return None if None in found else (str(found[0]), int(found[1] or 0), int(found[2] or 0))


def as_text(value: Any) -> str:
    """A text as it is; a list of messages as `role: content` lines; nothing as the empty text."""
    if isinstance(value, list):
        return "\n\n".join(f"{turn.get('role', '')}: {turn.get('content', '')}" for turn in value)
    return "" if value is None else str(value)
