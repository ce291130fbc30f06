"""Sources → records. Every input row comes out as exactly one Record, Quarantined or Document; none is lost."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

from rewardsmith.data.builtin import is_builtin, read_builtin
from rewardsmith.data.fields import Columns, ignored
from rewardsmith.data.formats import FORMATS, Format, adapt, format_of
from rewardsmith.data.hub import open_hub
from rewardsmith.data.readers import (
    Raw,
    Row,
    files_of,
    looks_like_hub_name,
    quarantined,
    read_file,
    read_objects,
)
from rewardsmith.data.rows import RowError
from rewardsmith.errors import DataError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Document, Quarantined, Record

SAMPLE_ROWS = 100
NAMES_SHOWN = 12

Loadable = Record | Quarantined | Document


@dataclass(frozen=True)
class Loaded:
    """What came out of some sources: `rows` input rows, each in exactly one of the three tuples.

    `understood` holds a sentence per file: its format, and what became of its columns.
    """

    records: tuple[Record, ...]
    quarantined: tuple[Quarantined, ...]
    documents: tuple[Document, ...]
    understood: tuple[str, ...]
    rows: int

    def __post_init__(self) -> None:
        assert len(self.records) + len(self.quarantined) + len(self.documents) == self.rows


def nothing(text: str) -> None:
    """Say nothing."""


def load(*sources: Any, strict: bool = False, progress: Progress = SILENT) -> Loaded:
    """Read whole sources into memory: paths, folders, data sets, lists of rows, or Records as they are.

    Bad rows are in `quarantined`; with `strict` the first one raises a DataError that names its file and line.
    """
    records: list[Record] = []
    bad: list[Quarantined] = []
    documents: list[Document] = []
    understood: list[str] = []
    rows = 0
    with progress.task("reading", None, "rows") as task:
        for item in chain.from_iterable(iterate(source, strict=strict, note=understood.append) for source in sources):
            rows += 1
            task.advance()
            if isinstance(item, Record):
                records.append(item)
            elif isinstance(item, Quarantined):
                bad.append(item)
            else:
                documents.append(item)
    for sentence in understood:
        progress.note(sentence)
    return Loaded(tuple(records), tuple(bad), tuple(documents), tuple(understood), rows)


def iterate(source: Any, *, strict: bool = False, note: Callable[[str], None] = nothing) -> Iterator[Loadable]:
    """The rows of one source, in order, one at a time; `note` gets what was understood of each file.

    A source is a path or hub name (text or Path), a Record list, a data set, a data frame, or an iterable of mappings.
    """
    return (item for _, item in iterate_rows(source, strict=strict, note=note))


def iterate_rows(
    source: Any, *, strict: bool = False, note: Callable[[str], None] = nothing
) -> Iterator[tuple[Columns | None, Loadable]]:
    """As `iterate`, each item with the columns of its input row (None where the row could not be read at all)."""
    for name, rows in open_source(source):
        for row, item in understand(name, rows, note):
            if strict and isinstance(item, Quarantined):
                raise DataError(f"{item.file}:{item.line}: {item.reason}")
            yield row, item


def open_source(source: Any) -> Iterator[tuple[str, Iterable[Row | Record]]]:
    """Each file of a source (or the one data set) with its rows."""
    if isinstance(source, (str, PathLike)):
        if is_builtin(str(source)):
            yield str(source), read_builtin(str(source))
            return
        if looks_like_hub_name(str(source)):
            yield str(source), read_objects(open_hub(str(source)))
            return
        for path in files_of(Path(source)):
            yield str(path), read_file(path)
    elif isinstance(source, (list, tuple)) and source and all(isinstance(item, Record) for item in source):
        yield "records", source
    else:
        yield "rows", read_objects(source)


def understand(
    name: str, rows: Iterable[Row | Record], note: Callable[[str], None]
) -> Iterator[tuple[Columns | None, Loadable]]:
    """The rows of one file with their records, in the format that most of its first good rows fit."""
    stream = iter(rows)
    head: list[Row | Record] = []
    sample: list[Raw] = []
    for row in stream:
        head.append(row)
        if isinstance(row, Raw):
            sample.append(row)
        if len(sample) == SAMPLE_ROWS or len(head) == 10 * SAMPLE_ROWS:
            break
    chosen = detect(sample)
    seen: set[str] = set()
    if not sample and any(isinstance(row, Document) for row in head):
        note(f"{name}: plain text, one document per line: checked, but nothing to train on")
    if sample:
        sentence, seen = describe(name, chosen, sample)
        note(sentence)
    for row in chain(head, stream):
        if not isinstance(row, Raw):
            yield None, row
            continue
        if chosen is None:
            # All rows up to here were damaged; the first good one decides.
            chosen = format_of(row.row)
        yield row.row, to_record(chosen, row)
        if chosen is not None and (late := ignored(row.row, FORMATS[chosen].uses) - seen):
            seen |= late
            note(f"{name}:{row.line}: ignored from here on: {names(late)}")


def detect(sample: list[Raw]) -> str | None:
    """The format that most rows of the sample fit; between equals, the one that comes first."""
    votes = Counter(found for raw in sample if (found := format_of(raw.row)))
    return votes.most_common(1)[0][0] if votes else None


def to_record(chosen: str | None, raw: Raw) -> Record | Quarantined:
    """One row in its file's format, or the reason why not."""
    try:
        if chosen is None:
            raise unknown_format(raw)
        return adapt(chosen, raw.row, source=raw.file, line=raw.line)
    except RowError as error:
        return quarantined(raw.file, raw.line, error, raw.row)


def unknown_format(raw: Raw) -> RowError:
    """The refusal of a row whose columns no format knows."""
    reason = (
        f"the columns {names(raw.row) or '(none)'} fit no known format; expected for example prompt, chosen, rejected"
    )
    return RowError("unknown_format", f"{reason}; see docs/data-formats.md and rename them")


def describe(name: str, chosen: str | None, sample: list[Raw]) -> tuple[str, set[str]]:
    """The sentence about a file, and the columns that it says are ignored."""
    found = list(dict.fromkeys(column for raw in sample for column in raw.row))
    if chosen is None:
        return f"{name}: no known format; columns: {names(found)}", set()
    format_: Format = FORMATS[chosen]
    left_out = set().union(*(ignored(raw.row, format_.uses) for raw in sample))
    parts = {
        "used": [column for column in found if column in format_.uses],
        "kept as fields": [column for column in found if column not in format_.uses and column not in left_out],
        "ignored": [column for column in found if column in left_out],
    }
    told = "; ".join(f"{label}: {names(which)}" for label, which in parts.items() if which)
    return f"{name}: {chosen} ({format_.description}); {told}", left_out


def names(columns: Iterable[str]) -> str:
    """Column names in one line, the first NAMES_SHOWN of them."""
    listed = [str(column)[:40] for column in columns]
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return ", ".join(islice(listed, NAMES_SHOWN)) + more
