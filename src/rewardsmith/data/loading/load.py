"""Sources → records. Every input row comes out as exactly one item: a Record, the Joined part of one, a Document,
Quarantined or Removed; none is lost.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from os import PathLike, fspath
from typing import Any, NamedTuple

from rewardsmith.data.formats import FORMATS, adapt, format_of
from rewardsmith.data.input.csv_rows import JSON_CELLS
from rewardsmith.data.input.fields import Columns, ignored, names
from rewardsmith.data.input.hub import looks_like_hub_name, open_hub
from rewardsmith.data.input.readers import files_of, read_file, read_objects
from rewardsmith.data.input.renaming import Rename, check_renames, parse_renames, rename
from rewardsmith.data.input.rows import InputRow, Raw, RowError, quarantined
from rewardsmith.data.loading.joining import Adapted, join_adjacent
from rewardsmith.data.loading.mixing import Mix, choose, parse_source
from rewardsmith.data.synthetic.builtin import is_builtin, read_builtin
from rewardsmith.errors import DataError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Document, Joined, Quarantined, Record, Removed

SAMPLE_ROWS = 100

Loadable = Adapted | Joined | Removed


class Read(NamedTuple):
    """An input row and what it was understood as.

    `row` is the row as it was given (None where it could not be read at all); `hashed_order` tells that the record's
    responses stand in the order of their hash, and only its comparisons tell which one the row names first.
    """

    row: Columns | None
    item: Adapted
    hashed_order: bool = False


@dataclass(frozen=True)
class Loaded:
    """What came out of some sources: `rows` input rows, each in one of the three tuples, joined, or not taken.

    `records` can be trained on and scored, `quarantined` rows cannot, each with its place and reason; `documents` are
    plain texts. `joined` rows became part of the record of an earlier row; `not_taken` ones were left out by a share or cap.
    `understood` holds a sentence per file: its format, and what became of its columns.
    """

    records: tuple[Record, ...]
    quarantined: tuple[Quarantined, ...]
    documents: tuple[Document, ...]
    understood: tuple[str, ...]
    rows: int
    joined: int = 0
    not_taken: int = 0

    def __post_init__(self) -> None:
        counted = len(self.records) + len(self.quarantined) + len(self.documents) + self.joined + self.not_taken
        assert counted == self.rows

    def __repr__(self) -> str:
        counts = {name: len(getattr(self, name)) for name in ("records", "quarantined", "documents")}
        counts |= {"joined": self.joined, "not_taken": self.not_taken}
        return f"Loaded(rows={self.rows}, {', '.join(f'{name}={count}' for name, count in counts.items())})"


def nothing(text: str) -> None:
    """Say nothing."""


def load(
    *sources: Any,
    strict: bool = False,
    map: Mapping[str, str] | Iterable[str] = (),
    mix: Mix | None = None,
    progress: Progress = SILENT,
) -> Loaded:
    """Read whole sources into memory: paths, folders, data sets, lists of rows, or Records as they are.

    Bad rows are in `quarantined`; with `strict` the first one raises a DataError that names its file and line.
    `map` and `mix` as in `iterate`.
    """
    records: list[Record] = []
    bad: list[Quarantined] = []
    documents: list[Document] = []
    understood: list[str] = []
    counts: Counter[type] = Counter()
    columns = parse_renames(map)
    with progress.task("reading", None, "rows") as task:
        read = partial(iterate, strict=strict, note=understood.append, columns=columns, mix=mix)
        for item in chain.from_iterable(read(source) for source in sources):
            counts[type(item)] += 1
            task.advance()
            if isinstance(item, Record):
                records.append(item)
            elif isinstance(item, Quarantined):
                bad.append(item)
            elif isinstance(item, Document):
                documents.append(item)
    for sentence in understood:
        progress.note(sentence)
    return Loaded(
        tuple(records),
        tuple(bad),
        tuple(documents),
        tuple(understood),
        rows=counts.total(),
        joined=counts[Joined],
        not_taken=counts[Removed],
    )


def iterate(
    source: Any,
    *,
    strict: bool = False,
    note: Callable[[str], None] = nothing,
    columns: tuple[Rename, ...] = (),
    mix: Mix | None = None,
    limit: int | None = None,
) -> Iterator[Loadable]:
    """The rows of one source, one at a time, rows that belong into one record joined; `note` gets what was understood.

    A source is a path or hub name (text or Path), a Record list, a data set, a data frame, or an iterable of mappings.
    With `mix`, a text may name a share (`a.jsonl:0.3`), and what is not taken comes as Removed. `columns` are renamed
    first. No more than `limit` input rows are read.
    """
    if mix is None or not isinstance(source, str):
        return joined(source, strict=strict, note=note, columns=columns, limit=limit)
    part = parse_source(source)

    def read(first_pass: bool) -> Iterator[Loadable]:
        say = nothing if first_pass else note
        return joined(part.name, strict=strict, note=say, columns=columns, limit=limit)

    return choose(read, part, mix)


def joined(
    source: Any,
    *,
    strict: bool,
    note: Callable[[str], None],
    columns: tuple[Rename, ...],
    limit: int | None,
) -> Iterator[Loadable]:
    """The rows of one source, those that belong into one record joined to it."""
    for _, rows in read_files(source, note, columns, limit):
        yield from join_rows(rows, strict=strict)


def join_rows(rows: Iterable["Keyed"], *, strict: bool) -> Iterator[Loadable]:
    """The rows of one file, those that belong into one record joined; DataError for a bad row with `strict`."""
    for item in join_adjacent((key, read.item) for key, read in rows):
        if strict:
            refuse_bad(item)
        yield item


def refuse_bad(item: object) -> None:
    """DataError for a row in quarantine."""
    if isinstance(item, Quarantined):
        raise DataError(f"{item.file}:{item.line}: {item.reason}")


def iterate_rows(source: Any, *, strict: bool = False, columns: tuple[Rename, ...] = ()) -> Iterator[Read]:
    """Each input row of a source with a record of its own, in order; nothing is joined."""
    for _, rows in read_files(source, nothing, columns, None):
        for _, read in rows:
            if strict:
                refuse_bad(read.item)
            yield read


Keyed = tuple[Hashable | None, Read]


def read_files(
    source: Any, note: Callable[[str], None], columns: tuple[Rename, ...], limit: int | None
) -> Iterator[tuple[str, Iterator[Keyed]]]:
    """Each file of a source with its rows, `limit` of them over all files, and what adjacent rows may be joined by."""
    left = limit
    for name, rows in open_source(source, columns):
        if left is None:
            yield name, understand(name, rows, note, columns)
            continue
        if left <= 0:
            return
        taken = CountedRows(islice(rows, left))
        yield name, understand(name, taken, note, columns)
        left -= taken.count


class CountedRows:
    """An iterable that counts what went through it."""

    def __init__(self, rows: Iterable[InputRow | Record]) -> None:
        self.rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[InputRow | Record]:
        for row in self.rows:
            self.count += 1
            yield row


def open_source(source: Any, columns: tuple[Rename, ...] = ()) -> Iterator[tuple[str, Iterable[InputRow | Record]]]:
    """Each file of a source (or the one data set) with its rows."""
    if isinstance(source, (str, PathLike)):
        return open_named(fspath(source), columns)
    if isinstance(source, (list, tuple)) and source and all(isinstance(item, Record) for item in source):
        return iter([("records", source)])
    return iter([("rows", read_objects(source))])


def open_named(source: str, columns: tuple[Rename, ...]) -> Iterator[tuple[str, Iterable[InputRow | Record]]]:
    """The same of a source that is named: built-in data, a data set on the hub, or files."""
    if is_builtin(source):
        yield source, read_builtin(source)
    elif looks_like_hub_name(source):
        yield source, read_objects(open_hub(source))
    else:
        also_json = frozenset(path for target, path in columns if target in JSON_CELLS)
        for path in files_of(source):
            yield str(path), read_file(path, also_json=also_json)


def understand(
    name: str, rows: Iterable[InputRow | Record], note: Callable[[str], None], columns: tuple[Rename, ...] = ()
) -> Iterator[Keyed]:
    """The rows of one file with their records, in the format that most of its first good rows fit."""
    stream = iter(rows)
    opening = opening_of(name, stream, note, columns)
    chosen, seen = opening.format, set(opening.ignored)
    for row in chain(opening.rows, stream):
        if not isinstance(row, Raw):
            yield None, Read(None, row)
            continue
        key, read, columns_read = keyed(chosen, row, columns)
        # Where all rows up to here were damaged, the first good one decides.
        chosen = chosen or format_of(columns_read)
        yield key, read
        if chosen is not None and (late := ignored_in(chosen, columns_read) - seen):
            seen |= late
            note(late_note(name, row.line, late))


class Opening(NamedTuple):
    """How a file begins: its first rows, the format that most of them fit, and the columns that were said to be ignored."""

    rows: list[InputRow | Record]
    format: str | None
    ignored: frozenset[str]


def opening_of(
    name: str, stream: Iterator[InputRow | Record], note: Callable[[str], None], columns: tuple[Rename, ...]
) -> Opening:
    """Read the first rows of a file, and say what was understood of them."""
    head: list[InputRow | Record] = []
    sample: list[dict[str, Any]] = []
    for row in stream:
        head.append(row)
        if isinstance(row, Raw):
            sample.append(row.row)
        if len(sample) == SAMPLE_ROWS or len(head) == 10 * SAMPLE_ROWS:
            break
    check_renames(name, sample, columns)
    sample = [rename(row, columns) for row in sample]
    chosen = detect(sample)
    if not sample and any(isinstance(row, Document) for row in head):
        note(f"{name}: plain text, one document per line: checked, but not usable for training")
    if not sample:
        return Opening(head, chosen, frozenset())
    sentence, left_out = describe(name, chosen, sample)
    note(sentence)
    return Opening(head, chosen, frozenset(left_out))


def ignored_in(chosen: str, row: Columns) -> set[str]:
    """The columns of a row that its format does not look at."""
    return ignored(row, FORMATS[chosen].used_in(row))


def late_note(name: str, line: int, late: set[str]) -> str:
    """What to say of columns that a later row has first."""
    return f"{name}:{line}: ignored from here on: {names(sorted(late))}"


def keyed(chosen: str | None, raw: Raw, columns: tuple[Rename, ...]) -> tuple[Hashable | None, Read, dict[str, Any]]:
    """One row in its file's format (or its own, where the file has none yet), what adjacent rows may be joined by, and
    its columns under their new names.
    """
    row = raw.row
    try:
        row = rename(row, columns)
        chosen = chosen or format_of(row)
        if chosen is None:
            raise unknown_format(row)
        record = adapt(chosen, row, source=raw.file, line=raw.line, byte=raw.byte)
    except RowError as error:
        refused = quarantined(raw.file, raw.line, other_format(error, chosen, row), raw.row, raw.byte)
        return None, Read(raw.row, refused), row
    group = FORMATS[chosen].group
    return group(row, record) if group else None, Read(raw.row, record, FORMATS[chosen].hashed_order), row


def other_format(error: RowError, chosen: str | None, row: Columns) -> RowError:
    """The refusal of a row; where it lacks a column because it is a row of another format, it says so."""
    fits = format_of(row) if error.code == "missing_field" else None
    if fits in (None, chosen):
        return error
    return RowError(
        error.code,
        f"the row has the columns of the format {fits}, but the file is read as {chosen}; expected one format per "
        "file; split the file",
    )


def detect(sample: list[dict[str, Any]]) -> str | None:
    """The format that most rows of the sample fit; between equals, the one that comes first."""
    votes = Counter(found for row in sample if (found := format_of(row)))
    return votes.most_common(1)[0][0] if votes else None


def unknown_format(row: Columns) -> RowError:
    """The refusal of a row whose columns no format knows."""
    reason = (
        f"the columns {names(row) or '(none)'} match no known format; expected, for example, prompt, chosen, rejected"
    )
    return RowError(
        "unknown_format", f"{reason}; see docs/data-formats.md, or map the columns with --map prompt=COLUMN"
    )


def describe(name: str, chosen: str | None, sample: list[dict[str, Any]]) -> tuple[str, set[str]]:
    """The sentence about a file, and the columns that it says are ignored."""
    if chosen is None:
        return f"{name}: no known format; columns: {names(columns_of(sample))}", set()
    format_ = FORMATS[chosen]
    used = frozenset[str]().union(*(format_.used_in(row) for row in sample))
    left_out = set[str]().union(*(ignored(row, format_.used_in(row)) for row in sample))
    uses = columns_by_use(columns_of(sample), used, left_out)
    in_words = "; ".join(f"{use}: {names(columns)}" for use, columns in uses.items() if columns)
    return f"{name}: {chosen} ({format_.description}); {in_words}", left_out


def columns_of(sample: list[dict[str, Any]]) -> list[str]:
    """The columns of some rows, in the order in which they come first."""
    return list(dict.fromkeys(column for row in sample for column in row))


def columns_by_use(found: list[str], used: Set[str], left_out: Set[str]) -> dict[str, list[str]]:
    """What becomes of each column; one that is read in some rows and not in others is both used and ignored."""
    return {
        "used": [column for column in found if column in used],
        "kept as fields": [column for column in found if column not in used and column not in left_out],
        "ignored": [column for column in found if column in left_out],
    }


def source_order(record: Record, *, hashed_order: bool) -> list[int]:
    """Indices of the responses in the order in which the input row names them.

    A row with preferred and rejected answers gives the rewards of the preferred ones first (records order such answers
    by hash, so that no model can learn the label from the index); every other row lists its responses itself.
    """
    if not hashed_order:
        return list(range(len(record.responses)))
    preferred = dict.fromkeys(comparison.i for comparison in record.comparisons)
    return [*preferred, *dict.fromkeys(comparison.j for comparison in record.comparisons)]
