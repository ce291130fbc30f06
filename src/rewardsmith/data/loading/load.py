"""Sources → records. Every input row comes out as exactly one item: a Record, the Joined part of one, a Document,
Quarantined or Removed; none is lost.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from rewardsmith.data.formats import recognised_with_nulls
from rewardsmith.data.input.csv_rows import JSON_CELLS
from rewardsmith.data.input.hub import looks_like_hub_name, open_hub
from rewardsmith.data.input.readers import files_of, read_file, read_objects
from rewardsmith.data.input.renaming import Rename, parse_renames
from rewardsmith.data.input.rows import InputRow, Raw
from rewardsmith.data.loading.joining import Adapted, join_adjacent
from rewardsmith.data.loading.mixing import Mix, choose, parse_source
from rewardsmith.data.loading.understanding import Read, keyed, news, opening_of
from rewardsmith.data.synthetic.builtin import is_builtin, read_builtin
from rewardsmith.errors import DataError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Document, Joined, Quarantined, Record, Removed
from rewardsmith.settings.in_memory import InMemory

Loadable = Adapted | Joined | Removed


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


def reading(sources: Sequence[Any]) -> str:
    """The label of a bar over the rows of these sources: the first file or folder by name, and how many more there are.

    An address is not named, since it may carry a password or token.
    """
    named = [
        Path(each).name or str(each) for each in sources if isinstance(each, str | Path) and "://" not in str(each)
    ]
    if not named:
        return "reading"
    return f"reading {named[0]} and {len(named) - 1} more" if len(named) > 1 else f"reading {named[0]}"


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
    with progress.task(reading(sources), None, "rows") as task:
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

    A source is a path or hub name (text or Path), a Record list, a data set, a data frame, an iterable of mappings, or
    what was Loaded.
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


def iterate_rows(
    source: Any,
    *,
    strict: bool = False,
    columns: tuple[Rename, ...] = (),
    note: Callable[[str], None] = nothing,
    reads: frozenset[str] = frozenset(),
) -> Iterator[Read]:
    """Each input row of a source with a record of its own, in order; nothing is joined. `note` as in `iterate`, where the
    columns that the caller `reads` itself are not said to be ignored.
    """
    for _, rows in read_files(source, note, columns, None, reads):
        for _, read in rows:
            if strict:
                refuse_bad(read.item)
            yield read


Keyed = tuple[Hashable | None, Read]


def read_files(
    source: Any,
    note: Callable[[str], None],
    columns: tuple[Rename, ...],
    limit: int | None,
    reads: frozenset[str] = frozenset(),
) -> Iterator[tuple[str, Iterator[Keyed]]]:
    """Each file of a source with its rows, `limit` of them over all files, and what adjacent rows may be joined by."""
    left = limit
    for name, rows in open_source(source, columns):
        if left is None:
            yield name, understand(name, rows, note, columns, reads)
            continue
        if left <= 0:
            return
        taken = CountedRows(islice(rows, left))
        yield name, understand(name, taken, note, columns, reads)
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
    if isinstance(source, InMemory):
        return open_in_memory(source)
    if isinstance(source, (str, PathLike)):
        return open_named(fspath(source), columns)
    return iter([("rows", objects_of(source))])


def open_in_memory(source: InMemory) -> Iterator[tuple[str, Iterable[InputRow | Record]]]:
    """Data under its name, or that of each of several."""
    if isinstance(source.value, tuple) and all(isinstance(each, InMemory) for each in source.value):
        for each in source.value:
            yield from open_in_memory(each)
    else:
        yield str(source), objects_of(source.value, str(source))


def objects_of(source: Any, name: str | None = None) -> Iterable[InputRow | Record]:
    """The rows of data that is there as Python objects; `name` is the file that rows are said to be from."""
    if isinstance(source, Loaded):
        return (*source.records, *source.quarantined, *source.documents)
    if isinstance(source, (list, tuple)) and source and all(isinstance(item, Record) for item in source):
        return source
    return read_objects(source, name)


def open_named(source: str, columns: tuple[Rename, ...]) -> Iterator[tuple[str, Iterable[InputRow | Record]]]:
    """The same of a source that is named: built-in data, a data set on the hub, or files."""
    if is_builtin(source):
        yield source, read_builtin(source)
    elif looks_like_hub_name(source):
        yield source, read_objects(open_hub(source))
    else:
        also_json = frozenset(each.path for each in columns if each.target in JSON_CELLS)
        for path in files_of(source):
            yield str(path), read_file(path, also_json=also_json)


def understand(
    name: str,
    rows: Iterable[InputRow | Record],
    note: Callable[[str], None],
    columns: tuple[Rename, ...] = (),
    reads: frozenset[str] = frozenset(),
) -> Iterator[Keyed]:
    """The rows of one file with their records, in the format that most of its first good rows fit."""
    stream = iter(rows)
    opening = opening_of(name, stream, note, columns, reads)
    chosen, seen = opening.format, {*opening.ignored, *reads}
    formats = set(opening.formats)
    for row in chain(opening.rows, stream):
        if not isinstance(row, Raw):
            yield None, Read(None, row)
            continue
        found = keyed(chosen, row, columns)
        # Where all rows up to here were damaged, the first good one decides.
        chosen = chosen or recognised_with_nulls(found.columns)
        yield found.key, found.read
        for sentence in news(name, row.line, found, seen, formats):
            note(sentence)


def source_order(record: Record, *, hashed_order: bool) -> list[int]:
    """Indices of the responses in the order in which the input row names them.

    A row with preferred and rejected answers gives the rewards of the preferred ones first (records order such answers
    by hash, so that no model can learn the label from the index); every other row lists its responses itself.
    """
    if not hashed_order:
        return list(range(len(record.responses)))
    preferred = dict.fromkeys(comparison.i for comparison in record.comparisons)
    return [*preferred, *dict.fromkeys(comparison.j for comparison in record.comparisons)]
