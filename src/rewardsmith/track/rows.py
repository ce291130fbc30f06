"""The rows of `metrics.jsonl` as they appear, and the names of their curves."""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from rewardsmith.errors import DataError
from rewardsmith.files.reading import as_object, refuse_types, taking_from

RowKind = Literal["train", "validation"]
KINDS: tuple[RowKind, ...] = ("train", "validation")


@dataclass(frozen=True)
class MetricsRow:
    """One row: `figures` by the name of their curve, `train/loss` or `validation/loss`.

    A figure that is not finite stands as null in the file and is a gap in the curve.
    """

    step: int
    kind: RowKind
    figures: Mapping[str, float]


def marker(kind: RowKind) -> str:
    """A curve that every row of this kind has a point on, so its last step tells how far a record goes."""
    return f"{kind}/epoch"


def row_of(values: Mapping[str, Any]) -> MetricsRow:
    """A line of `metrics.jsonl`; DataError for other values."""
    step = values.get("step")
    if type(step) is not int or step < 0:
        raise DataError(f"step is {step!r}; expected an integer >= 0")
    refuse_types({name: value for name, value in values.items() if value is not None}, dict.fromkeys(values, float))
    kind = kind_of(values)
    named = {f"{kind}/{key.removeprefix('eval_')}": value for key, value in values.items() if key != "step"}
    last = marker(kind)  # written last, so a row that was cut short does not count as recorded
    ordered = sorted(named.items(), key=lambda item: item[0] == last)
    figures = {name: float(value) for name, value in ordered if value is not None and math.isfinite(value)}
    return MetricsRow(step, kind, figures)


def kind_of(values: Mapping[str, Any]) -> RowKind:
    """Rows of validation are known by the prefix `eval_` of their figures."""
    return "validation" if any(key.startswith("eval_") for key in values) else "train"


def last_steps(steps: Iterable[tuple[str, int]]) -> dict[RowKind, int]:
    """The last step of each kind, from (curve, step) pairs in any order."""
    found: dict[RowKind, int] = {}
    names = {marker(kind): kind for kind in KINDS}
    for curve, step in steps:
        if curve in names:
            found[names[curve]] = max(step, found.get(names[curve], 0))
    return found


class Rows:
    """A reader that follows the file while it grows, and starts again when another file takes its place.

    Resuming puts a shortened file in the place of the old one. Its rows are read from the top, which does no harm:
    a resumed run repeats its steps to the bit, and the caller passes over steps that it has seen.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        self.number = 0

    def new(self) -> list[MetricsRow]:
        """The rows that came whole since the last call."""
        if not self.path.is_file():
            return []
        if self.file is None or self._replaced(self.file):
            if self.file is not None:
                self.file.close()
            self.file, self.number = self.path.open("rb"), 0
        rows: list[MetricsRow] = []
        while True:
            start = self.file.tell()
            line = self.file.readline()
            if not line.endswith(b"\n"):
                self.file.seek(start)
                return rows
            self.number += 1
            if line.strip():
                place = f"{self.path}:{self.number}"
                with taking_from(place):
                    rows.append(row_of(as_object(line, place)))

    def _replaced(self, file: BinaryIO) -> bool:
        return identity(file.fileno()) != identity(self.path) or self.path.stat().st_size < file.tell()


def identity(file: Path | int) -> tuple[int, int]:
    """Device and inode of a path or an open file: the same as long as nothing takes its place."""
    status = os.stat(file)
    return status.st_dev, status.st_ino
