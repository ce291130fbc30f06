"""What was seen and measured of each row, as a file: with it, thresholds change without measuring again.

`signals.jsonl` has a line per row that became a record and is no duplicate, in the order of reading. A later run over the
same sources reads it beside them; a row that is not the next one of the file is measured as if there were no file.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.errors import DataError
from rewardsmith.quality.checks import CHECKS, Finding, check, digest
from rewardsmith.quality.limits import Limits, crossings
from rewardsmith.quality.rows import Values, measure
from rewardsmith.records import Record

NAME = "signals.jsonl"
VERSION = 2
"""Goes up when a check or a measure changes, so that values of another version are not taken for ours."""

Found = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Signals:
    """What one row shows before any threshold: its values, and (check, severity, detail) of what CHECKS found."""

    values: Values
    found: tuple[Found, ...]

    def findings(self, place: str, limits: Limits) -> list[Finding]:
        """Everything to say about the row under these limits, in the order of the checks."""
        seen = [Finding(name, severity, place, detail) for name, severity, detail in self.found]
        crossed = [
            Finding(c.check, c.severity, place, c.detail, c.value, c.threshold) for c in crossings(self.values, limits)
        ]
        return [*seen, *crossed]


def look(record: Record) -> Signals:
    """Look at a record: run every check and measure every value."""
    return Signals(measure(record), tuple((f.check, f.severity, f.detail) for f in check(record)))


def key_of(record: Record) -> str:
    """What tells whether a line of the file is about a record: its whole content, place left aside."""
    parts = (record.id, record.comparisons, sorted(record.ratings.items()), sorted(record.fields.items()))
    return f"{digest(VERSION, *parts):016x}"


def line_of(record: Record, signals: Signals) -> dict[str, Any]:
    """The line of `signals.jsonl` about a record."""
    place = {"file": record.source, "line": record.line, "key": key_of(record)}
    return {**place, **asdict(signals.values), "found": signals.found}


class Known:
    """Signals that an earlier run wrote, taken in its order; memory holds one line."""

    def __init__(self, folder: Path | None) -> None:
        self.lines = lines_of(folder / NAME) if folder is not None else iter(())
        self.next: dict[str, Any] | None = next(self.lines, None)
        self.used = 0

    def of(self, record: Record) -> Signals:
        """The signals of a record: from the file where its next line is about it, looked at now otherwise."""
        line = self.next
        if line is None or (line.get("file"), line.get("line")) != (record.source, record.line):
            return look(record)
        self.next = next(self.lines, None)
        if line.get("key") != key_of(record):
            return look(record)
        self.used += 1
        return read(line)

    def skip(self, record: Record) -> None:
        """Go past a record that nobody asks about, where the file's next line is about it."""
        line = self.next
        if line is not None and (line.get("file"), line.get("line")) == (record.source, record.line):
            self.next = next(self.lines, None)


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of signals; DataError where there is none or a line is broken."""
    if not path.is_file():
        raise DataError(f"{path} is not there; expected a folder that prepare wrote")
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{path}:{number} is no JSON; prepare the data again without --signals") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is no JSON object; prepare the data again without --signals")
            yield row


def read(line: dict[str, Any]) -> Signals:
    """The signals of one line whose key has matched."""
    named = {name: line[name] for name in Values.__dataclass_fields__}
    values = Values(**named | {"chars": tuple(line["chars"]), "words": tuple(line["words"])})
    return Signals(
        values, tuple((check, severity, detail) for check, severity, detail in line["found"] if check in CHECKS)
    )
