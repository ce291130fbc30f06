"""Rows in which several annotators judge the same responses: votes, joined to the first of these rows.

What is the same is found from hashes: prompt, responses, ratings, and the order shown where that is known. Memory holds
16 bytes per row, and the rows of such groups.
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rewardsmith.quality.cross_row.agreement import ComparisonColumns
from rewardsmith.quality.cross_row.minhash import U64, Flags
from rewardsmith.quality.row.checks import digest
from rewardsmith.quality.row.fingerprints import Fingerprint, fingerprint_of
from rewardsmith.records import Comparison, Record

ANNOTATOR = re.compile(
    r"(annotator|judge|rater|labell?er|worker|evaluator|assessor|reviewer|grader)s?(_?(id|name|model|hash|uid))?",
    re.IGNORECASE,
)
"""The fields that name who judged."""

VoteCounts = dict[tuple[int, int], list[int]]
"""For two responses by their hashes, the lower first: votes for the lower, for the higher, for neither."""


class VoteColumns(NamedTuple):
    """Of some rows, shape (R,): a hash of what was judged, and of who judged it; 0 where a row is no vote."""

    judged: U64
    annotator: U64


def annotator_of(record: Record) -> tuple[tuple[str, object], ...]:
    """Who judged a record: its fields that name an annotator or a judge; empty without."""
    return tuple(sorted((name, value) for name, value in record.fields.items() if ANNOTATOR.fullmatch(name)))


def vote_columns(records: Sequence[Record], fingerprints: Sequence[Fingerprint]) -> VoteColumns:
    """What of some rows may be votes: decided or tied comparisons of a known annotator, and nothing counted already."""
    found = [vote_of(record, fingerprint) for record, fingerprint in zip(records, fingerprints, strict=True)]
    return VoteColumns(
        *(np.array(each, np.uint64) for each in zip(*found, strict=True)) if found else (NO_ROWS, NO_ROWS)
    )


NO_ROWS: U64 = np.zeros(0, np.uint64)


def vote_of(record: Record, fingerprint: Fingerprint) -> tuple[int, int]:
    """The two hashes of a row."""
    annotator, hashes = annotator_of(record), fingerprint.responses
    if not (annotator and len(set(hashes)) == len(hashes) > 1 and is_one_judgement(record)):
        return 0, 0
    order = sorted(range(len(hashes)), key=lambda at: hashes[at])
    ratings = sorted((name, [values[at] for at in order]) for name, values in record.ratings.items())
    shown = {hashes[c.shown_first] for c in record.comparisons if c.shown_first is not None}
    attributes = sorted({c.attribute for c in record.comparisons})
    return digest([hashes[at] for at in order], ratings, sorted(shown), attributes), digest(annotator)


def is_one_judgement(record: Record) -> bool:
    """Whether what a row says is that of one judge: decided or tied comparisons, not counted or weighted yet."""
    plain = (c.preference in (0.5, 1.0) and c.votes is None and c.weight == 1.0 for c in record.comparisons)
    return bool(record.comparisons) and all(plain)


def told_apart(fingerprint: bytes, annotator: int) -> bytes:
    """The 128 bits of a row, which are others where another annotator says the same."""
    if not annotator:
        return fingerprint
    return fingerprint[:8] + (int.from_bytes(fingerprint[8:], "little") ^ annotator).to_bytes(8, "little")


class Votes:
    """Rows added many at once, then looked at together; `head_of` has the first row of each row that is joined to one."""

    def __init__(self) -> None:
        self.judged, self.annotators = array("Q"), array("Q")
        self.head_of: dict[int, int] = {}
        self.counts: dict[int, VoteCounts] = {}

    def extend(self, columns: VoteColumns) -> None:
        """Add the next rows."""
        self.judged.frombytes(columns.judged.tobytes())
        self.annotators.frombytes(columns.annotator.tobytes())

    def settle(self, counted: Flags, comparisons: ComparisonColumns) -> None:
        """Find the groups among the rows that are `counted`, shape (rows,), and count their votes."""
        judged = np.frombuffer(self.judged, np.uint64)
        annotators = np.frombuffer(self.annotators, np.uint64)
        rows = np.flatnonzero(counted & (judged != 0))
        order = rows[np.lexsort((rows, judged[rows]))]
        for group in np.split(order, np.flatnonzero(np.diff(judged[order])) + 1) if len(order) else ():
            if len(np.unique(annotators[group])) > 1:
                self.head_of |= dict.fromkeys(group[1:].tolist(), int(group[0]))
                self.counts[int(group[0])] = {}
        self.count(comparisons)

    def count(self, comparisons: ComparisonColumns) -> None:
        """Count what the rows of all groups say."""
        members = np.array([*self.counts, *self.head_of], np.uint64)
        for at in np.flatnonzero(np.isin(comparisons.row, members)).tolist():
            row, better, worse = (int(each[at]) for each in (comparisons.row, comparisons.better, comparisons.worse))
            votes = self.counts[self.head_of.get(row, row)].setdefault(
                (min(better, worse), max(better, worse)), [0, 0, 0]
            )
            votes[2 if comparisons.tie[at] else int(better > worse)] += 1

    def joined_rows(self, rows: int) -> Flags:
        """Which of all rows, shape (rows,), are joined to another."""
        found = np.zeros(rows, np.bool_)
        found[list(self.head_of)] = True
        return found

    def joined(self, row: int, record: Record) -> Record | None:
        """The record of a group's first row with the votes of all its rows; None for any other row.

        Margins are left out, as they were one annotator's, and so is the field that names that one.
        """
        counts = self.counts.get(row)
        if counts is None:
            return None
        hashes = fingerprint_of(record).responses
        shown = next((c.shown_first for c in record.comparisons if c.shown_first is not None), None)
        found = []
        for attribute in dict.fromkeys(c.attribute for c in record.comparisons):
            of = {value ^ digest(attribute): at for at, value in enumerate(hashes)}
            found += [
                voted(of[low], of[high], votes, attribute, shown)
                for (low, high), votes in sorted(counts.items())
                if low in of and high in of
            ]
        fields = {name: value for name, value in record.fields.items() if not ANNOTATOR.fullmatch(name)}
        return replace(record, comparisons=tuple(in_order(found)), fields=fields)

    def majorities(self, comparisons: ComparisonColumns) -> ComparisonColumns:
        """The comparisons of all rows, those of each group as one row that says what most of its rows say."""
        grouped = np.isin(comparisons.row, np.array([*self.counts, *self.head_of], np.uint64))
        alone = ~grouped
        kept = ComparisonColumns(
            comparisons.better[alone],
            comparisons.worse[alone],
            comparisons.row[alone],
            comparisons.tie[alone],
            comparisons.shown_first[alone],
        )
        said = [
            (*((low, high) if votes[0] >= votes[1] else (high, low)), row, votes[0] == votes[1])
            for row, counts in self.counts.items()
            for (low, high), votes in counts.items()
        ]
        if not said:
            return kept
        better, worse, row, tie = (list(column) for column in zip(*said, strict=True))
        return ComparisonColumns(
            np.concatenate([kept.better, np.array(better, np.uint64)]),
            np.concatenate([kept.worse, np.array(worse, np.uint64)]),
            np.concatenate([kept.row, np.array(row, np.uint64)]),
            np.concatenate([kept.tie, np.array(tie, kept.tie.dtype)]),
            np.concatenate([kept.shown_first, np.full(len(said), -1, kept.shown_first.dtype)]),
        )


def in_order(found: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons in the order of their responses."""
    return sorted(found, key=lambda c: (min(c.i, c.j), max(c.i, c.j), c.attribute))


def voted(first: int, second: int, votes: Sequence[int], attribute: str, shown: int | None) -> Comparison:
    """What the votes for one response, for another, and for neither amount to; the undecided count half for each."""
    ahead = votes[0] > votes[1] or (votes[0] == votes[1] and first < second)
    i, j, counted = (first, second, votes) if ahead else (second, first, (votes[1], votes[0], votes[2]))
    preference = (counted[0] + counted[2] / 2) / sum(votes)
    judges = (counted[0], counted[1], counted[2])
    return Comparison(i, j, preference, attribute=attribute, votes=judges, shown_first=shown)
