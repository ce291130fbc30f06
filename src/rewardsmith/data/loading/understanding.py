"""What a file holds: the format of most of its rows, and that of each; its rows as records; what is said of its columns."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Set
from typing import Any, NamedTuple

from rewardsmith.data.formats import FORMATS, FileFormat, adapt, format_of, format_within, recognised_with_nulls
from rewardsmith.data.input.fields import Columns, ignored, names
from rewardsmith.data.input.renaming import Rename, check_renames, rename, renamed_sample
from rewardsmith.data.input.rows import InputRow, Raw, RowError, quarantined, usable
from rewardsmith.data.loading.joining import Adapted
from rewardsmith.records import Document, Record

SAMPLE_ROWS = 100


class Read(NamedTuple):
    """An input row and what it was understood as.

    `row` is the row as it was given (None where it could not be read at all); `hashed_order` tells that the record's
    responses stand in the order of their hash, and only its comparisons tell which one the row names first.
    """

    row: Columns | None
    item: Adapted
    hashed_order: bool = False


def news(name: str, line: int, row: "Understood", seen: set[str], formats: set[str]) -> Iterator[str]:
    """What a row is the first of its file to have, as sentences: columns that are ignored, another format."""
    if row.format is None:
        return
    if row.format not in formats and isinstance(row.read.item, Record):
        if formats:
            yield other_note(name, line, row.format)
        formats.add(row.format)
    if late := ignored_in(row.format, row.columns) - seen:
        seen |= late
        yield late_note(name, line, late)


class Opening(NamedTuple):
    """How a file begins: its first rows, the format that most of them fit, the columns that were said to be ignored, and all
    formats that the rows are read in.
    """

    rows: list[InputRow | Record]
    format: FileFormat | None
    ignored: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()


def opening_of(
    name: str,
    stream: Iterator[InputRow | Record],
    note: Callable[[str], None],
    columns: tuple[Rename, ...],
    reads: frozenset[str] = frozenset(),
) -> Opening:
    """Read the first rows of a file, and say what was understood of them; the caller `reads` some columns itself."""
    head: list[InputRow | Record] = []
    sample: list[dict[str, Any]] = []
    for row in stream:
        head.append(row)
        if isinstance(row, Raw):
            sample.append(row.row)
        if len(sample) == SAMPLE_ROWS or len(head) == 10 * SAMPLE_ROWS:
            break
    check_renames(name, sample, columns)
    sample = renamed_sample(sample, columns)
    chosen = detect(sample)
    if not sample and any(isinstance(row, Document) for row in head):
        note(f"{name}: plain text, one document per line: checked, but not usable for training")
    if not sample:
        return Opening(head, chosen)
    sentence, left_out, formats = describe(name, chosen, sample, reads)
    note(sentence)
    return Opening(head, chosen, frozenset(left_out), frozenset(formats))


def ignored_in(chosen: str, row: Columns) -> set[str]:
    """The columns of a row that its format does not look at."""
    return ignored(row, FORMATS[chosen].used_in(row))


def late_note(name: str, line: int, late: set[str]) -> str:
    """What to say of columns that a later row has first."""
    return f"{name}:{line}: ignored from here on: {names(sorted(late))}"


def other_note(name: str, line: int, format_name: str) -> str:
    """What to say of a row that is the first to be read in another format than those before."""
    return f"{name}:{line}: rows like this one are read as {format_name} ({FORMATS[format_name].description})"


class Understood(NamedTuple):
    """One row as it was read: what adjacent rows may be joined by, its columns under their new names, and its format."""

    key: Hashable | None
    read: Read
    columns: dict[str, Any]
    format: str | None


def keyed(file: FileFormat | None, raw: Raw, columns: tuple[Rename, ...]) -> Understood:
    """One row in its file's format, or in its own where that is another kind of row or the file has none yet."""
    row, chosen = raw.row, None if file is None else file.name
    try:
        row = rename(row, columns)
        chosen = format_within(row, file) if file is not None else format_of(row)
        if chosen is None:
            raise unknown_format(row)
        record = adapt(chosen, row, source=raw.file, line=raw.line, byte=raw.byte)
    except RowError as error:
        refused = quarantined(raw.file, raw.line, other_format(error, chosen, row), raw.row, raw.byte)
        return Understood(None, Read(usable(raw.row), refused), row, chosen)
    group = FORMATS[chosen].group
    shared = None if group is None else group(row, record)
    key = None if shared is None else (chosen, shared)
    return Understood(key, Read(usable(raw.row), record, FORMATS[chosen].hashed_order), row, chosen)


def other_format(error: RowError, chosen: str | None, row: Columns) -> RowError:
    """The refusal of a row; where it lacks a column because it is a row of another format, it says so."""
    fits = format_of(row) if error.code == "missing_field" else None
    if fits in (None, chosen):
        return error
    reason = (
        f"the row has the columns of the format {fits}, but the file is read as {chosen}; expected one format per file; "
        "split the file"
    )
    return RowError(error.code, reason)


def detect(sample: list[dict[str, Any]]) -> FileFormat | None:
    """The format that most rows of the sample fit, by the columns of most of these; between equals, the first row's."""
    votes = Counter(found for row in sample if (found := recognised_with_nulls(row)))
    if not votes:
        return None
    rows = Counter[str]()
    for found, count in votes.items():
        rows[found.name] += count
    name = rows.most_common(1)[0][0]
    marks = next(found.marks for found, _ in votes.most_common() if found.name == name)
    return FileFormat(name, marks, joins=any(found.joins for found in votes))


def unknown_format(row: Columns) -> RowError:
    """The refusal of a row whose columns no format knows."""
    there = [name for name, value in row.items() if value is not None]
    reason = (
        f"the columns {names(there) or '(none)'} match no known format; expected, for example, prompt, chosen, rejected"
    )
    return RowError(
        "unknown_format", f"{reason}; see docs/data-formats.md, or map the columns with --map prompt=COLUMN"
    )


def describe(
    name: str, chosen: FileFormat | None, sample: list[dict[str, Any]], reads: frozenset[str] = frozenset()
) -> tuple[str, set[str], dict[str, int]]:
    """The sentence about a file, the columns that it says are ignored, and how many rows are read in which format."""
    if chosen is None:
        return f"{name}: no known format; columns: {names(columns_of(sample))}", set(), {}
    read_as = [format_within(row, chosen) for row in sample]
    pairs = [(row, FORMATS[each].used_in(row)) for row, each in zip(sample, read_as, strict=True)]
    used = reads.union(*(columns for _, columns in pairs))
    left_out = set[str]().union(*(ignored(row, columns) for row, columns in pairs)) - reads
    uses = columns_by_use(columns_of(sample), used, left_out)
    in_words = "; ".join(f"{use}: {names(columns)}" for use, columns in uses.items() if columns)
    counts = Counter(read_as)
    others = "".join(
        f"; {count} of the first {len(sample)} rows are {each}" for each, count in counts.items() if each != chosen.name
    )
    sentence = f"{name}: {chosen.name} ({FORMATS[chosen.name].description}); {in_words}{others}"
    return sentence, left_out, {chosen.name: 0} | dict(counts)


def columns_of(sample: list[dict[str, Any]]) -> list[str]:
    """The columns of some rows that are not null in all of them, in the order in which they come first."""
    return list(dict.fromkeys(column for row in sample for column, value in row.items() if value is not None))


def columns_by_use(found: list[str], used: Set[str], left_out: Set[str]) -> dict[str, list[str]]:
    """What becomes of each column; one that is read in some rows and not in others is both used and ignored."""
    return {
        "used": [column for column in found if column in used],
        "kept as fields": [column for column in found if column not in used and column not in left_out],
        "ignored": [column for column in found if column in left_out],
    }
