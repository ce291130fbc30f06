"""Rows that repeat an earlier row, looked at together in arrays of 16 bytes a row."""

from array import array

import numpy as np
import numpy.typing as npt

from rewardsmith.quality.cross_row.minhash import Flags, Indices
from rewardsmith.quality.row.checks import DUPLICATE, EXCERPT_CHARS
from rewardsmith.quality.row.fingerprints import Places
from rewardsmith.records import Record, Removed


class Repeats:
    """Rows added in their order, then asked which repeat another; `places` tells where they stand.

    A row repeats the first row of the same content that is kept; one that comes before it was taken out for a reason of
    its own.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.fingerprints = array("Q")

    def extend(self, fingerprints: bytes) -> None:
        """Add the next rows by their 128-bit fingerprints, one after another."""
        self.fingerprints.frombytes(fingerprints)

    def settle(self, refused: Flags, gone: Flags) -> None:
        """Look at all rows, shape (N,): those `refused` play no part, those `gone` are taken out by their own checks."""
        self.twins = twins(np.frombuffer(self.fingerprints, np.uint64).reshape(-1, 2), refused, gone)

    def duplicate(self, row: int, record: Record) -> Removed | None:
        """The removal of a row that repeats an earlier one; fields do not count."""
        twin = int(self.twins[row])
        if twin < 0:
            return None
        place, text = self.places[twin], record.responses[0].text[:EXCERPT_CHARS]
        return Removed(record.source, record.line, DUPLICATE, f"identical to row {place}", text, place)


def twins(fingerprints: npt.NDArray[np.uint64], refused: Flags, gone: Flags) -> Indices:
    """For each row the one that it repeats, or -1: the first row of its fingerprint, shape (N, 2), that is not `gone`."""
    found = np.full(len(fingerprints), -1, np.int64)
    rows = np.flatnonzero(~refused)
    order = rows[np.lexsort((rows, fingerprints[rows, 1], fingerprints[rows, 0]))]
    begins = starts_of(fingerprints[order, 0], fingerprints[order, 1])
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
