"""The compared pairs of an evaluation: numbers of all, texts of the worst errors only, so that memory stays small."""

import heapq
import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rewardsmith.errors import DataError

WORST_KEPT = 100
"""Errors whose texts are kept for the report: as many as a person reads, and a page stays under a few megabytes."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A comparison that the model ranked against the label; `margin` < 0 is preferred minus other."""

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


@dataclass(frozen=True, eq=False)
class Compared:
    """One entry per comparison, shape (N,); rewards are raw, lengths in the unit of the evaluation, NaN = unknown.

    `margin` is preferred minus other; at `preference` 0.5 the judges were undecided and neither is preferred.
    `worst` are the errors with the most negative margin, worst first, at most WORST_KEPT of the `errors` there are.
    """

    margin: Numbers
    preference: Numbers
    preferred_reward: Numbers
    other_reward: Numbers
    length_difference: Numbers
    worst: tuple[Mistake, ...] = ()
    errors: int = 0

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Which comparisons have a preferred side and a margin."""
        return (self.preference > 0.5) & ~np.isnan(self.margin)

    @property
    def unscored(self) -> int:
        """Comparisons whose margin is not a number."""
        return int(np.isnan(self.margin).sum())

    def accuracy(self, where: npt.NDArray[np.bool_]) -> float:
        """Share correct among the chosen comparisons, a predicted tie worth one half; NaN for none."""
        margin = self.margin[where]
        return float(np.mean((margin > 0) + 0.5 * (margin == 0))) if margin.size else math.nan


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


def gather(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Compared:
    """Read (place, row) pairs of `comparisons.jsonl` in one pass, keeping the texts of the worst errors.

    A row without a margin takes reward_i - reward_j. Raises DataError for a value that is not a number.
    """
    columns = [array("d") for _ in range(5)]
    worst: list[tuple[float, int, str, Mapping[str, Any]]] = []
    errors = 0
    for number, (place, row) in enumerate(rows):
        preferred, other = finite(row, "reward_i", place), finite(row, "reward_j", place)
        margin = finite(row, "margin", place)
        margin = preferred - other if math.isnan(margin) else margin
        preference = preference_of(row, place)
        length = finite(row, "length_i", place) - finite(row, "length_j", place)
        for column, value in zip(columns, (margin, preference, preferred, other, length), strict=True):
            column.append(value)
        if margin < 0 and preference > 0.5:
            errors += 1
            entry = (-margin, -number, place, row)
            (heapq.heappush if len(worst) < WORST_KEPT else heapq.heappushpop)(worst, entry)
    found = tuple(mistake(place, row, -lead) for lead, _, place, row in sorted(worst, key=lambda e: (-e[0], -e[1])))
    margins, preferences, chosen, rejected, lengths = (np.array(column, dtype=np.float64) for column in columns)
    return Compared(margins, preferences, chosen, rejected, lengths, found, errors)


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
    )


def as_text(value: Any) -> str:
    """A text as it is; a list of messages as `role: content` lines; nothing as the empty text."""
    if isinstance(value, list):
        return "\n\n".join(f"{turn.get('role', '')}: {turn.get('content', '')}" for turn in value)
    return "" if value is None else str(value)
