"""What rows say about each other's judgements: preferences that go round in a circle, verdicts that depend on the order.

Memory holds a few numbers per comparison, never a text.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.quality.cross_row.cycles import Triples, circles, triples
from rewardsmith.quality.cross_row.minhash import U64, Indices
from rewardsmith.quality.row.checks import CONTRADICTION, RowFinding, digest
from rewardsmith.quality.row.fingerprints import Fingerprint, Places, fingerprint_of
from rewardsmith.records import Record

CYCLE = "preference_cycle"
ORDER = "order_changes_verdict"


@dataclass(frozen=True)
class OrderEffect:
    """Pairs of responses that were judged in both orders: how many, and of how many the verdict changed.

    `first_wins` of the `decided` verdicts on these pairs went to the response shown first; without an effect it would
    be half of them.
    """

    pairs: int
    changed: int
    first_wins: int
    decided: int


class ComparisonColumns(NamedTuple):
    """Comparisons of some rows: hashes of the better and the worse response, shape (C,), which of the rows says so, whether
    it is a tie, and whether the better was shown first (1), the worse (0), or the order is not known (-1).
    """

    better: U64
    worse: U64
    row: U64
    tie: npt.NDArray[np.int8]
    shown_first: npt.NDArray[np.int8]


def comparison_columns(records: Sequence[Record], fingerprints: Sequence[Fingerprint]) -> ComparisonColumns:
    """The comparisons of some rows, which count from 0; a row whose fingerprint names no responses has no say."""
    better, worse, row, tie, shown_first = [], [], [], [], []
    attributes: dict[str, int] = {}
    for at, (record, fingerprint) in enumerate(zip(records, fingerprints, strict=True)):
        for comparison in record.comparisons if fingerprint.responses else ():
            name, shown = comparison.attribute, comparison.shown_first
            of = attributes[name] if name in attributes else attributes.setdefault(name, digest(name))
            better.append(fingerprint.responses[comparison.i] ^ of)
            worse.append(fingerprint.responses[comparison.j] ^ of)
            row.append(at)
            tie.append(comparison.is_tie)
            shown_first.append(-1 if shown is None else int(shown == comparison.i))
    return ComparisonColumns(
        np.array(better, np.uint64),
        np.array(worse, np.uint64),
        np.array(row, np.uint64),
        np.array(tie, np.int8),
        np.array(shown_first, np.int8),
    )


@dataclass
class GrowingColumns:
    """The fields of `ComparisonColumns`, growing."""

    better: "array[int]" = field(default_factory=lambda: array("Q"))
    worse: "array[int]" = field(default_factory=lambda: array("Q"))
    row: "array[int]" = field(default_factory=lambda: array("Q"))
    tie: "array[int]" = field(default_factory=lambda: array("b"))
    shown_first: "array[int]" = field(default_factory=lambda: array("b"))

    def extend(self, comparisons: ComparisonColumns, first_row: int) -> None:
        """Add comparisons whose rows count from `first_row`."""
        moved = comparisons._replace(row=comparisons.row + np.uint64(first_row))
        for name, values in moved._asdict().items():
            getattr(self, name).frombytes(values.tobytes())

    def whole(self) -> ComparisonColumns:
        """All comparisons so far."""
        return ComparisonColumns(
            np.frombuffer(self.better, np.uint64),
            np.frombuffer(self.worse, np.uint64),
            np.frombuffer(self.row, np.uint64),
            np.frombuffer(self.tie, np.int8),
            np.frombuffer(self.shown_first, np.int8),
        )


class Judgements:
    """Comparisons of rows, added row by row or many at once, then looked at together. Rows count from 0."""

    def __init__(self, places: Places | None = None) -> None:
        self.columns = GrowingColumns()
        self.places = Places() if places is None else places
        self.rows = 0

    def add(self, record: Record) -> None:
        """Add the next row, and its place."""
        self.places.add(record)
        self.extend(comparison_columns([record], [fingerprint_of(record)]), 1)

    def extend(self, comparisons: ComparisonColumns, rows: int) -> None:
        """Add the comparisons of the next `rows` rows."""
        self.columns.extend(comparisons, self.rows)
        self.rows += rows

    def settle(self, counted: npt.NDArray[np.bool_], columns: ComparisonColumns | None = None) -> None:
        """Look at all rows together that are `counted`, shape (rows,): at what was added, or at `columns` in its place."""
        columns = self.columns.whole() if columns is None else columns
        _, node = np.unique(np.concatenate([columns.better, columns.worse]), return_inverse=True)
        better, worse = node.reshape(2, -1).astype(np.int64)
        row, tie, shown = columns.row.astype(np.int64), columns.tie.astype(np.bool_), columns.shown_first
        different = (better != worse) & counted[row]
        decided = different & ~tie
        verdicts = better[decided], worse[decided], row[decided]
        self.circles, self.beside = circles(*verdicts)
        self.triples = triples(*verdicts) if self.circles else Triples(0, 0)
        self.contradicted = contradictions(*verdicts)
        ordered = different & (shown >= 0)
        self.order, self.turned = order_effect(
            better[ordered], worse[ordered], row[ordered], tie[ordered], shown[ordered] == 1
        )

    def findings(self, row: int, record: Record) -> list[RowFinding]:
        """What is to be said about a row."""
        found = []
        if row in self.contradicted:
            detail = f"{self.places[self.contradicted[row]]} prefers the other response of the same pair"
            found.append(RowFinding(CONTRADICTION, "warning", record.place, detail))
        if (told := self.cycle(row, record)) is not None:
            severity = "info" if self.triples.circular and self.triples.as_by_noise else "warning"
            found.append(RowFinding(CYCLE, severity, record.place, told))
        if row in self.turned:
            detail = (
                f"{self.places[self.turned[row]]} has the same two responses in the other order with the opposite "
                "verdict"
            )
            found.append(RowFinding(ORDER, "warning", record.place, detail))
        return found

    def cycle(self, row: int, record: Record) -> str | None:
        """The preference cycle that a row is part of, in words; None for none."""
        circle = self.circles.get(row)
        if circle is None:
            if row not in self.beside:
                return None
            return f"contradicts {self.places[self.beside[row]]}, which is part of a preference cycle"
        if set(circle) == {row} and (within := circle_within(record)):
            return f"its responses form a preference cycle: {' > '.join(map(str, within))}"
        places = " > ".join(self.places[other] for other in circle)
        return f"one of {len(circle)} preferences that form a cycle: {places}"


def circle_within(record: Record) -> tuple[int, ...]:
    """The numbers of the responses on a shortest circle inside a record, the first again at the end; () without one."""
    columns = comparison_columns([record], [fingerprint_of(record)])
    _, node = np.unique(np.concatenate([columns.better, columns.worse]), return_inverse=True)
    better, worse = node.reshape(2, -1).astype(np.int64)
    decided = (better != worse) & ~columns.tie.astype(np.bool_)
    found, _ = circles(better[decided], worse[decided], np.flatnonzero(decided))
    if not found:
        return ()
    first = [record.comparisons[at].i for at in min(found.values(), key=len)]
    return (*first, first[0])


def contradictions(better: Indices, worse: Indices, row: Indices) -> dict[int, int]:
    """For each row that says the opposite of others about two responses, the first row that does so.

    Where most rows agree these are the others; where they are even it is each of them, since nothing tells who is right.
    """
    names, pair = np.unique(np.minimum(better, worse) << 32 | np.maximum(better, worse), return_inverse=True)
    low_won = (better < worse).astype(np.int64)
    side = 2 * pair + low_won
    counts = np.bincount(side, minlength=2 * len(names))
    first = np.full(2 * len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, side, row)
    other = 2 * pair + 1 - low_won
    against = (counts[other] > 0) & (counts[other] >= counts[side])
    found: dict[int, int] = {}
    for each, opposite in zip(row[against].tolist(), first[other[against]].tolist(), strict=True):
        found[each] = min(opposite, found.get(each, opposite))
    return found


def order_effect(
    better: Indices, worse: Indices, row: Indices, tie: npt.NDArray[np.bool_], first_won: npt.NDArray[np.bool_]
) -> tuple[OrderEffect, dict[int, int]]:
    """How much the order of showing decides, and for each row of a changed pair the first row of the other order.

    The verdict of an order is the mean of its rows (1 for a win, half for a tie); it changed where the two orders'
    means differ. All arrays have shape (N,), for comparisons that tell the order; `first_won` means the response that
    stands as the better one was shown first, also for a tie.
    """
    low_won = better < worse
    names, pair = np.unique(np.minimum(better, worse) << 32 | np.maximum(better, worse), return_inverse=True)
    low_first = (low_won == first_won).astype(np.int64)
    outcome = np.where(tie, 0.5, low_won * 1.0)
    cell = 2 * pair + low_first
    rows = np.bincount(cell, minlength=2 * len(names)).reshape(-1, 2)
    wins = np.bincount(cell, outcome, minlength=2 * len(names)).reshape(-1, 2)
    both = (rows > 0).all(axis=1)
    # Cross-multiplied, so that equal shares of whole and half wins are equal numbers.
    changed = both & (wins[:, 0] * rows[:, 1] != wins[:, 1] * rows[:, 0])
    first_row = np.full(2 * len(names), np.iinfo(np.int64).max)
    np.minimum.at(first_row, cell, row)
    other = first_row[2 * pair + 1 - low_first]
    turned = np.asarray(changed)[pair]
    counted = np.asarray(both)[pair] & ~tie
    effect = OrderEffect(int(both.sum()), int(changed.sum()), int((first_won & counted).sum()), int(counted.sum()))
    return effect, dict(zip(row[turned].tolist(), other[turned].tolist(), strict=True))
