"""What was seen and measured of each row, as a file: with it, thresholds change without measuring again.

`signals.jsonl` has a line per row that became a record and is no duplicate, in the order of reading. A later run takes the
values of every row that says the same; any other row is measured as if there were no file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson

from rewardsmith.errors import DataError
from rewardsmith.quality.row.checks import CHECKS, RowFinding, check, digest
from rewardsmith.quality.row.fingerprints import Fingerprint
from rewardsmith.quality.row.limits import Limits, crossings
from rewardsmith.quality.row.measures import Values, measure
from rewardsmith.records import Record

NAME = "signals.jsonl"
KEY = re.compile("[0-9a-f]{16}")
VERSION = 3
"""Goes up when a check or a measure changes, so that values of another version are not taken for ours."""

Found = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Signals:
    """What one row shows before any threshold: its values, and (check, severity, detail) of what CHECKS found."""

    values: Values
    found: tuple[Found, ...]

    def findings(self, place: str, limits: Limits) -> list[RowFinding]:
        """Everything to say about the row under these limits, in the order of the checks."""
        seen = [RowFinding(name, severity, place, detail) for name, severity, detail in self.found]
        crossed = [
            RowFinding(c.check, c.severity, place, c.detail, c.value, c.threshold)
            for c in crossings(self.values, limits)
        ]
        return [*seen, *crossed]


def signals_of(record: Record) -> Signals:
    """Look at a record: run every check and measure every value."""
    return Signals(measure(record), tuple((f.check, f.severity, f.detail) for f in check(record)))


def key_of(record: Record, fingerprint: Fingerprint) -> str:
    """What tells whether a line of the file is about a record: its whole content, place left aside."""
    return f"{digest(VERSION, fingerprint.row, sorted(record.fields.items())):016x}"


def line_of(record: Record, signals: Signals, key: str) -> dict[str, Any]:
    """The line of `signals.jsonl` about a record."""
    values = {name: getattr(signals.values, name) for name in Values.__slots__}
    return {"file": record.source, "line": record.line, "key": key, **values, "found": signals.found}


class SignalCache:
    """Signals that an earlier run wrote, found by what a row says; memory holds 16 bytes a line.

    DataError where the folder has none or a line is broken.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = None if folder is None else (folder / NAME).absolute()  # a process elsewhere may open it
        self.handle: IO[bytes] | None = None
        found = list(keys_of(folder / NAME)) if folder is not None else []
        pairs = np.array(found, np.uint64).reshape(-1, 2)
        self.keys, first = np.unique(pairs[:, 0], return_index=True)
        self.starts = pairs[first, 1]

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process, which opens the file itself."""
        return self.__dict__ | {"handle": None}

    def of(self, key: str) -> Signals | None:
        """The signals of the record with this key; None where the file has none."""
        number = np.uint64(int(key, 16))
        at = int(np.searchsorted(self.keys, number))
        if self.path is None or at == len(self.keys) or self.keys[at] != number:
            return None
        if self.handle is None:
            self.handle = self.path.open("rb")
        self.handle.seek(int(self.starts[at]))
        return read(orjson.loads(self.handle.readline()))


def keys_of(path: Path) -> Iterator[tuple[int, int]]:
    """(key, where its line begins) for each line of a file of signals; DataError where there is none or a line is broken."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a folder that prepare wrote")
    start = 0
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{path}:{number} is not JSON; prepare the data again without --signals") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is not a JSON object; prepare the data again without --signals")
            if KEY.fullmatch(str(row.get("key"))) and row.keys() >= {*Values.__dataclass_fields__, "found"}:
                yield int(row["key"], 16), start
            start += len(line)


def read(line: dict[str, Any]) -> Signals:
    """The signals of one line whose key has matched."""
    named = {name: line[name] for name in Values.__dataclass_fields__}
    values = Values(**named | {"chars": tuple(line["chars"]), "words": tuple(line["words"])})
    return Signals(
        values, tuple((check, severity, detail) for check, severity, detail in line["found"] if check in CHECKS)
    )
