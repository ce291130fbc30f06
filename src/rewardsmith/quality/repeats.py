"""Rows that repeat an earlier row, and rows that decide a pair of responses the other way round.

All rows are looked at together, in arrays: 16 bytes a row beside what `agreement` keeps of the comparisons.
"""

from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rewardsmith.quality.agreement import Indices, Verdicts
from rewardsmith.quality.checks import CONTRADICTION, DUPLICATE, EXCERPT_CHARS, Finding
from rewardsmith.quality.prints import Places
from rewardsmith.records import Record, Removed

Flags = npt.NDArray[np.bool_]


class Repeats:
    """Rows added in their order, then asked which repeat another; `places` tells where they stand.

    A row repeats the first row of the same content that is kept; one that comes before it was taken out for a reason of
    its own. A contradiction is told of each row that prefers the other of two responses than the first row that decides
    between them, taken out or not.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.prints = array("Q")

    def extend(self, prints: bytes) -> None:
        """Add the next rows by their 128-bit prints, one after another."""
        self.prints.frombytes(prints)

    def settle(self, verdicts: Verdicts, refused: Flags, gone: Flags, remove_contradictions: bool) -> None:
        """Look at all rows, shape (N,): those `refused` play no part, those `gone` are taken out by their own checks."""
        self.rows, self.against = contradictions(verdicts, refused)
        self.starts = np.searchsorted(self.rows, np.arange(len(refused) + 1))
        self.gone = gone.copy()
        if remove_contradictions:
            self.gone[self.rows] = True
        self.twins = twins(np.frombuffer(self.prints, np.uint64).reshape(-1, 2), refused, self.gone)

    def duplicate(self, row: int, record: Record) -> Removed | None:
        """The removal of a row that repeats an earlier one; fields do not count."""
        twin = int(self.twins[row])
        if twin < 0:
            return None
        place, text = self.places[twin], record.responses[0].text[:EXCERPT_CHARS]
        return Removed(record.source, record.line, DUPLICATE, f"the same row as {place}", text, place)

    def contradictions(self, row: int, place: str) -> Iterator[Finding]:
        """The pairs of a row that an earlier row, with the same prompt, decided the other way round."""
        for other in self.against[self.starts[row] : self.starts[row + 1]].tolist():
            detail = f"{self.places[other]} prefers the other of the same two responses"
            yield Finding(CONTRADICTION, "warning", place, detail)


def contradictions(verdicts: Verdicts, refused: Flags) -> tuple[Indices, Indices]:
    """(rows that contradict an earlier one, that one), shape (F,), in the order of the rows and their comparisons.

    What counts for two responses is the first comparison of them, whatever became of its row; ties decide nothing.
    """
    rows = verdicts.row.astype(np.int64)
    decided = np.flatnonzero((verdicts.tie == 0) & (verdicts.better != verdicts.worse) & ~refused[rows])
    better, worse, rows = verdicts.better[decided], verdicts.worse[decided], rows[decided]
    low, high, low_won = np.minimum(better, worse), np.maximum(better, worse), better < worse
    order = np.lexsort((np.arange(len(rows)), high, low))
    begins = starts_of(low[order], high[order])
    first = np.empty(len(rows), np.int64)
    first[order] = order[begins]
    other = np.flatnonzero(low_won != low_won[first])
    return rows[other], rows[first[other]]


def twins(prints: npt.NDArray[np.uint64], refused: Flags, gone: Flags) -> Indices:
    """For each row the one that it repeats, or -1: the first row of its print, shape (N, 2), that is not `gone`."""
    found = np.full(len(prints), -1, np.int64)
    rows = np.flatnonzero(~refused)
    order = rows[np.lexsort((rows, prints[rows, 1], prints[rows, 0]))]
    begins = starts_of(prints[order, 0], prints[order, 1])
    place = np.arange(len(order))
    staying = np.where(gone[order], len(order), place)
    kept = np.full(len(order), len(order), np.int64)
    np.minimum.at(kept, begins, staying)
    kept = kept[begins]
    later = place > kept
    found[order[later]] = order[kept[later]]
    return found


def starts_of(first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> Indices:
    """For each position of sorted pairs of numbers, where the run of equal pairs that it is in begins, shape (N,)."""
    new = np.ones(len(first), np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return np.maximum.accumulate(np.where(new, np.arange(len(first)), 0))
