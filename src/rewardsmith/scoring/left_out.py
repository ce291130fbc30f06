"""What of the data a command did not use as it was given: one object, one form in JSON, one way to say it.

Every command that reads data fills a `LeftOut`, writes it under the key `left_out`, and prints its `lines`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rewardsmith.errors import DataError
from rewardsmith.files.reading import refuse_types
from rewardsmith.records import Comparison, Quarantined, Record
from rewardsmith.scoring.tokens import Encoded
from rewardsmith.scoring.trees import Ids

NAMED = 10
"""Rows named for each reason; counts are of all."""

SHOWN = 3
"""Of these, rows that are printed."""

NOT_COMPARED = "the row has no comparison"
"""Why a record with the reason `no_comparison` is left out."""

UNITS = {
    "unreadable": "rows",
    "unused": "records",
    "cut": "responses",
    "different_context": "records",
    "identical": "records",
    "not_shown": "records",
}
"""What may happen to data, and what is counted of it, in the order in which it is told."""


@dataclass
class Reason:
    """How often something happened for one reason; `rows` names the first NAMED (`file:line`), `example` explains the
    first."""

    count: int = 0
    rows: list[str] = field(default_factory=list)
    example: str = ""

    def add(self, count: int, rows: Iterable[str], example: str = "") -> None:
        """Count some more."""
        self.count += count
        self.rows += [row for row in dict.fromkeys(rows) if row not in self.rows][: NAMED - len(self.rows)]
        self.example = self.example or example


@dataclass
class Affected:
    """`count` of `of` were hit, each for one reason or several."""

    of: int = 0
    count: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)

    def add(self, name: str, count: int, rows: Iterable[str], example: str = "") -> None:
        """Count a reason; `count` of the tally itself is left to the caller, since reasons may overlap."""
        self.reasons.setdefault(name, Reason()).add(count, rows, example)

    @property
    def share(self) -> float:
        """How much was hit, in [0, 1]."""
        return self.count / self.of if self.of else 0.0


@dataclass
class LeftOut:
    """What happened to the data of a command, by the names of UNITS:

    rows that were `unreadable`, records that were `unused`, responses that were `cut` (their prompt or their end), records
    whose responses stand behind a `different_context`, those with `identical` tokens for different responses, and those
    with contents that the rendered text does `not_shown`.
    """

    tallies: dict[str, Affected] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Affected:
        return self.tallies.setdefault(name, Affected())

    def read(self, rows: int, quarantined: Sequence[Quarantined]) -> None:
        """Count input rows, of which some could not be read."""
        tally = self["unreadable"]
        tally.of += rows
        tally.count += len(quarantined)
        for row in quarantined:
            tally.add(row.code, 1, [f"{row.file}:{row.line}"], row.reason)

    def unused(self, record: Record, code: str, reason: str) -> None:
        """Count a record that was not used."""
        tally = self["unused"]
        tally.of += 1
        tally.count += 1
        tally.add(code, 1, [name_of(record)], reason)

    def used(self, record: Record, encoded: Encoded) -> None:
        """Count a record that was used, and what happened to it."""
        row, cuts = [name_of(record)], encoded.cuts
        self["unused"].of += 1
        tally = self["cut"]
        tally.of += len(encoded.sequences)
        tally.count += cuts.hit
        for name, count in (("prompt", cuts.prompts), ("response", cuts.responses)):
            if count:
                tally.add(name, count, row)
        self._records("different_context", ["prompt_cut"] if cuts.different_context else [], row)
        same = same_tokens(record, encoded.sequences)
        why = "cut" if cuts.any else "reasoning" if "reasoning" in encoded.not_shown else "rendering"
        self._records("identical", [why] if same else [], row)
        self._records("not_shown", encoded.not_shown, row)

    def _records(self, name: str, reasons: Sequence[str], row: list[str]) -> None:
        tally = self[name]
        tally.of += 1
        tally.count += bool(reasons)
        for reason in reasons:
            tally.add(reason, 1, row)

    def add(self, other: "LeftOut") -> None:
        """Count what another one counted."""
        for name, tally in other.tallies.items():
            mine = self[name]
            mine.of += tally.of
            mine.count += tally.count
            for code, reason in tally.reasons.items():
                mine.add(code, reason.count, reason.rows, reason.example)

    def reason_count(self, name: str, code: str) -> int:
        """How often one thing happened for one reason."""
        tally = self.tallies.get(name)
        return tally.reasons[code].count if tally and code in tally.reasons else 0

    def hit(self) -> Iterator[tuple[str, Affected]]:
        """What happened at least once, in the order of UNITS."""
        return ((name, self.tallies[name]) for name in UNITS if name in self.tallies and self.tallies[name].count)

    def to_json(self) -> dict[str, Any]:
        """`{name: {count, of, unit, reasons: {code: {count, rows, example}}}}` of all that was counted."""
        return {
            name: {
                "count": self.tallies[name].count,
                "of": self.tallies[name].of,
                "unit": unit,
                "reasons": {code: vars(reason) for code, reason in self.tallies[name].reasons.items()},
            }
            for name, unit in UNITS.items()
            if name in self.tallies
        }

    def lines(self, data: str = "") -> list[str]:
        """A sentence for each thing that happened, and below it, indented, the first rows of each reason.

        `data` says before each sentence which data it is about.
        """
        before = f"{data}: " if data else ""
        return [line for name, tally in self.hit() for line in (before + sentence(name, tally), *rows_told(tally))]

    def in_one_line(self) -> str:
        """The lines, joined: for an error."""
        return "; ".join(line.strip() for line in self.lines())

    def sentences(self, *, rows: bool = False) -> list[str]:
        """One sentence each, with the first `rows` of every reason behind it or without, since rows name files."""
        return [sentence(name, tally, rows=rows) for name, tally in self.hit()]

    @property
    def share(self) -> float:
        """The largest share, in [0, 1], that one thing happened to."""
        return max((tally.share for _, tally in self.hit()), default=0.0)


def left_out_from(value: Any) -> LeftOut:
    """What `to_json` wrote, empty where it is None; DataError for anything else."""
    if value is None:
        return LeftOut()
    tallies = as_mapping("left_out", value)
    return LeftOut({name: affected_from(name, as_mapping(name, tallies[name])) for name in UNITS if name in tallies})


def as_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """The value; DataError where it is no object."""
    if not isinstance(value, Mapping):
        raise DataError(f"{name} is {value!r:.60}; expected an object")
    return value


def affected_from(name: str, value: Mapping[str, Any]) -> Affected:
    """One tally from its JSON form."""
    reasons = {}
    for code, reason in as_mapping("reasons", value["reasons"]).items():
        refuse_types(as_mapping(str(code), reason), {"count": int, "rows": tuple[str, ...], "example": str})
        reasons[str(code)] = Reason(reason["count"], list(reason["rows"]), reason["example"])
    counts = [value["count"], value["of"], *(reason.count for reason in reasons.values())]
    if any(type(count) is not int or count < 0 for count in counts) or value["count"] > value["of"]:
        raise DataError(
            f"{name} counts {value['count']!r} of {value['of']!r}; expected integers, the second not smaller than the "
            "first"
        )
    return Affected(value["of"], value["count"], reasons)


def name_of(record: Record) -> str:
    """Where a record came from, else a hash of its content."""
    return record.place if record.source else record.id


def same_tokens(record: Record, sequences: Sequence[Ids]) -> bool:
    """Whether two responses that differ (or are compared) became the same tokens, so that no model can tell them apart."""
    numbers = numbered(sequences)
    if len(set(numbers)) == len(numbers):
        return False
    if any(numbers[c.i] == numbers[c.j] for c in record.comparisons):
        return True
    together: dict[int, set[Any]] = {}
    for number, response in zip(numbers, record.responses, strict=True):
        together.setdefault(number, set()).add(response.messages)
    return any(len(texts) > 1 for texts in together.values())


def numbered(sequences: Sequence[Ids]) -> list[int]:
    """A number for each sequence; equal ones have the same."""
    known: dict[bytes, int] = {}
    return [known.setdefault(np.asarray(ids).tobytes(), len(known)) for ids in sequences]


def told_apart(comparisons: Iterable[Comparison], sequences: Sequence[Ids]) -> list[Comparison]:
    """The comparisons whose two responses are different tokens."""
    numbers = numbered(sequences)
    return [c for c in comparisons if numbers[c.i] != numbers[c.j]]


def sentence(name: str, tally: Affected, *, rows: bool = False) -> str:
    """`N of M … : reason × N, …`."""
    n, total = f"{tally.count:,}", f"{tally.of:,}"
    why = ", ".join(
        f"{code} × {reason.count:,}" + (f" ({first_rows(reason)})" if rows and reason.rows else "")
        for code, reason in by_count(tally)
    )
    return {
        "unreadable": f"{n} of {total} rows could not be read: {why}",
        "unused": f"{n} of {total} records were excluded: {why}",
        "cut": f"{n} of {total} responses cut to max_length: {why}",
        "different_context": f"{n} of {total} records have a prompt cut differently by response: {why}",
        "identical": f"{n} of {total} records have responses identical after rendering: {why}",
        "not_shown": f"{n} of {total} records lose contents to the chat template: {why}",
    }[name]


def rows_told(tally: Affected) -> Iterator[str]:
    """The first rows of each reason, and what is wrong with the first where that was said."""
    for code, reason in by_count(tally):
        yield f"    {code}: {first_rows(reason)}" + (f"; {reason.example}" if reason.example else "")


def by_count(tally: Affected) -> list[tuple[str, Reason]]:
    """The reasons, the most frequent first."""
    return sorted(tally.reasons.items(), key=lambda item: (-item[1].count, item[0]))


def first_rows(reason: Reason) -> str:
    """The first rows: of a file the last part of its name, once, and the lines."""
    told, before = [], ""
    for row in reason.rows[:SHOWN]:
        file, _, line = row.replace("\\", "/").rpartition("/")[2].rpartition(":")
        told.append(line if file == before else f"{file}:{line}" if file else line)
        before = file
    return ", ".join([*told, *(["…"] if len(reason.rows) > SHOWN else [])])
