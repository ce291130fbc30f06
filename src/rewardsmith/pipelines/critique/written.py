"""Critiques of records in a file that a killed run goes on from: a line a record, in the order of the records.

Records are criticised in stretches of STRETCH, each in the same batches whenever it is computed; what a kill has left of a
stretch that is not whole is dropped, so that a resumed run gets the critiques of an uninterrupted one.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.critique.critic import Critic, Critique
from rewardsmith.errors import OutputError, TrainingError
from rewardsmith.files import write_bytes
from rewardsmith.progress import Progress
from rewardsmith.records import Record

STRETCH = 64

RecordCritiques = tuple[tuple[Critique, ...], ...]


def written_critiques(
    critic: Critic, records: Sequence[Record], path: Path, *, resuming: bool, progress: Progress
) -> list[RecordCritiques]:
    """The critiques of all records; those that the file holds are not written again.

    TrainingError where the file is that of other records.
    """
    found = kept(path, records) if resuming else []
    write_bytes(path, b"".join(line_of(record, each) for record, each in zip(records, found, strict=False)))
    if found:
        progress.note(f"{len(found)} of {len(records)} records had their critiques already")
    for start in range(len(found), len(records), STRETCH):
        some = records[start : start + STRETCH]
        made = list(critic.critiques(some, progress))
        append(path, b"".join(map(line_of, some, made)))
        found += made
    return found


def kept(path: Path, records: Sequence[Record]) -> list[RecordCritiques]:
    """The critiques of the stretches that are whole."""
    if not path.is_file():
        return []
    lines = list(whole_lines(path))
    usable = len(records) if len(lines) >= len(records) else len(lines) // STRETCH * STRETCH
    found = []
    for record, line in zip(records[:usable], lines, strict=False):
        if line.get("id") != record.id:
            raise TrainingError(
                f"{path} contains critiques of other records; start again with --overwrite instead of --resume"
            )
        found.append(tuple(tuple(Critique(text, cut) for text, cut in each) for each in line["critiques"]))
    return found


def whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines up to the first that is not whole."""
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return
        if not line.endswith(b"\n") or not isinstance(value, dict):
            return
        yield value


def line_of(record: Record, critiques: RecordCritiques) -> bytes:
    """A line of the file."""
    told = [[[each.text, each.truncated] for each in some] for some in critiques]
    value = {"source": record.source, "line": record.line, "id": record.id, "critiques": told}
    return orjson.dumps(value) + b"\n"


def append(path: Path, lines: bytes) -> None:
    """Add lines to the file; they are on the disk afterwards."""
    try:
        with path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}") from error
