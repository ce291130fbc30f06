"""What is evaluated: compared pairs of responses as arrays, one row per comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from rewardsmith.errors import DataError

Array = npt.NDArray[Any]

KINDS = {
    "margin": "f",
    "preference": "f",
    "weight": "f",
    "cluster": "iu",
    "category": "U",
    "language": "U",
    "preferred_reward": "f",
    "other_reward": "f",
    "preferred_length": "fiu",
    "other_length": "fiu",
    "turns": "iu",
    "label_strength": "f",
    "preferred_id": "iu",
    "other_id": "iu",
    "preferring": "iu",
    "votes": "iu",
}
"""The numpy kinds that an array may have: f float, i and u integer, U text."""

KIND_NAMES = {"f": "float", "iu": "integer", "fiu": "float or integer", "U": "text"}

MISSING_ALLOWED = frozenset({"label_strength"})
"""Arrays in which NaN means that the source does not tell."""

TOGETHER = (
    ("preferred_reward", "other_reward"),
    ("preferred_length", "other_length"),
    ("preferred_id", "other_id"),
    ("preferred_text", "other_text"),
    ("preferring", "votes"),
)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """N comparisons; every array has shape (N,), checked, never converted. None = not known.

    `margin` is the reward of the preferred response minus that of the other; `preference` in [0.5, 1] the judges' share
    for the preferred one, 0.5 = label tie; `weight` >= 0; `cluster` the number of the prompt (comparisons that share
    one are not independent); `category` a name; `language` zh, en or other; rewards as raw logits; lengths in words, a
    CJK character one word; `turns` of the prompt; `label_strength` >= 0 in the source's unit (its margin or votes), NaN
    where it does not tell. `preferred_id`, `other_id` identify responses within their cluster, which Kendall's tau
    needs; the texts are the responses', for the TF-IDF baseline. `preferring` of `votes` annotators who decided prefer
    the preferred response, 0 of 0 where the source does not tell. Raises DataError where an array does not fit.
    """

    margin: Array
    preference: Array
    weight: Array
    cluster: Array
    category: Array | None = None
    language: Array | None = None
    preferred_reward: Array | None = None
    other_reward: Array | None = None
    preferred_length: Array | None = None
    other_length: Array | None = None
    turns: Array | None = None
    label_strength: Array | None = None
    preferred_id: Array | None = None
    other_id: Array | None = None
    preferring: Array | None = None
    votes: Array | None = None
    preferred_text: Sequence[str] | None = None
    other_text: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name, kinds in KINDS.items():
            check_array(name, getattr(self, name), kinds=kinds, size=len(self.margin))
        for name in ("preferred_text", "other_text"):
            texts = getattr(self, name)
            if texts is not None and len(texts) != len(self.margin):
                raise DataError(f"{name} has {len(texts)} texts; expected {len(self.margin)}, one per comparison")
        for one, two in TOGETHER:
            if (getattr(self, one) is None) != (getattr(self, two) is None):
                raise DataError(f"only one of {one} and {two} is given; pass both or neither")
        self._check_values()

    def _check_values(self) -> None:
        outside = ~((self.preference >= 0.5) & (self.preference <= 1.0))
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(f"preference[{row}] is {self.preference[row]}; expected [0.5, 1]; swap the two responses")
        if (self.weight < 0).any():
            row = int(np.argmax(self.weight < 0))
            raise DataError(f"weight[{row}] is {self.weight[row]}; expected a number >= 0")
        if self.preferring is not None and self.votes is not None:
            wrong = (self.preferring < 0) | (self.preferring > self.votes)
            if wrong.any():
                row = int(np.argmax(wrong))
                raise DataError(
                    f"preferring[{row}] is {self.preferring[row]}; expected 0 to {self.votes[row]}, the votes"
                )
        self._check_margins()

    def _check_margins(self) -> None:
        """DataError where a margin is not the difference of the rewards."""
        if self.preferred_reward is not None and self.other_reward is not None:
            difference = self.preferred_reward.astype(np.float64) - self.other_reward.astype(np.float64)
            scale = np.maximum(1.0, np.maximum(np.abs(self.preferred_reward), np.abs(self.other_reward)))
            apart = np.abs(difference - self.margin) > 1e-4 * scale
            if apart.any():
                row = int(np.argmax(apart))
                raise DataError(
                    f"margin[{row}] is {self.margin[row]}, but the rewards differ by {difference[row]}; "
                    "expected preferred_reward - other_reward"
                )

    def __len__(self) -> int:
        return len(self.margin)

    def take(self, rows: Array) -> "Comparisons":
        """The comparisons at these row numbers, or where a boolean mask is true."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        chosen: dict[str, Any] = {}
        for item in fields(self):
            column = getattr(self, item.name)
            if isinstance(column, np.ndarray):
                chosen[item.name] = column[numbers]
            elif column is not None:
                chosen[item.name] = [column[number] for number in numbers]
        return Comparisons(**chosen)


@dataclass(frozen=True, eq=False)
class Rankings:
    """M responses of prompts with known quality, for Kendall's tau and best-of-N; every array has shape (M,).

    `group` is the number of the ranking, `quality` higher = better (a rating, or a rank negated), `reward` the model's.
    `weight` >= 0 is the ranking's, repeated for each response (None: all 1), `cluster` the number of its prompt (None: each
    ranking has its own). Raises DataError where an array does not fit.
    """

    group: Array
    quality: Array
    reward: Array
    weight: Array | None = None
    cluster: Array | None = None

    def __post_init__(self) -> None:
        for name in ("group", "cluster"):
            check_array(name, getattr(self, name), kinds="iu", size=len(self.group))
        check_array("weight", self.weight, kinds="f", size=len(self.group))
        check_array("quality", self.quality, kinds="f", size=len(self.group))
        check_array("reward", self.reward, kinds="f", size=len(self.group))


def check_array(name: str, array: Any, *, kinds: str, size: int) -> None:
    """Raise DataError unless `array` is None or has shape (size,), one of the numpy `kinds`, and finite numbers."""
    if array is None:
        return
    if not isinstance(array, np.ndarray):
        raise DataError(f"{name} is a {type(array).__name__}; expected a numpy array of shape ({size},)")
    if array.shape != (size,):
        raise DataError(f"{name} has the shape {array.shape}; expected ({size},), one entry per row")
    if array.dtype.kind not in kinds:
        raise DataError(f"{name} is an array of {array.dtype}; expected {KIND_NAMES[kinds]}; convert it first")
    if array.dtype.kind != "f":
        return
    wrong = np.isinf(array) if name in MISSING_ALLOWED else ~np.isfinite(array)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{name}[{row}] is {array[row]}; expected a finite number; {int(wrong.sum())} rows have such values"
        )
