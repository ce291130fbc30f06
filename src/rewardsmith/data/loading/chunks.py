"""Sources → chunks of rows that may be parsed and looked at in other processes, and give what `loading.iterate` gives.

Lines of JSON travel as bytes and are parsed where they are looked at. Every other source is read where the chunks are
made, and so are files whose adjacent rows belong together and sources of which not all records are taken.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

from rewardsmith.data.formats import FileFormat
from rewardsmith.data.input.csv_rows import JSON_CELLS
from rewardsmith.data.input.hub import looks_like_hub_name
from rewardsmith.data.input.lines import InputLine, lines
from rewardsmith.data.input.readers import files_of, from_lines, read_file, read_jsonl, reader_of
from rewardsmith.data.input.renaming import Rename
from rewardsmith.data.input.rows import InputRow, Raw
from rewardsmith.data.loading.load import Loadable, iterate, join_rows, open_source, refuse_bad, understand
from rewardsmith.data.loading.mixing import Mix, parse_source
from rewardsmith.data.loading.understanding import Understood, ignored_in, keyed, late_note, opening_of, other_note
from rewardsmith.data.synthetic.builtin import is_builtin
from rewardsmith.records import Document, Record
from rewardsmith.settings.in_memory import InMemory

CHUNK_ROWS = 256
CHUNK_BYTES = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one source in their order: read already (`items`), or lines of the file `name` in one `format`.

    `notes` are to be said before its first row; `ignored` are the columns of the file that were said to be ignored, and
    `formats` the formats that were said to be in it.
    """

    name: str
    notes: tuple[str, ...] = ()
    items: tuple[Loadable, ...] = ()
    lines: tuple[InputLine, ...] = ()
    format: FileFormat | None = None
    columns: tuple[Rename, ...] = ()
    ignored: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()


class Late(NamedTuple):
    """What a row of a file has that was not said before the chunk: columns that are ignored, another `format`."""

    name: str
    line: int
    columns: frozenset[str]
    format: str | None = None


@dataclass
class RowBudget:
    """How many rows may still be read; None: all."""

    left: int | None = None

    def take(self, rows: Iterable[T]) -> Iterator[T]:
        """The rows, as long as there may be more."""
        if self.left is not None and self.left <= 0:
            return
        for row in rows:
            yield row
            if self.left is not None:
                self.left -= 1
                if self.left <= 0:
                    return


@dataclass(frozen=True)
class ChunkReader:
    """How sources are read."""

    columns: tuple[Rename, ...] = ()
    mix: Mix = field(default_factory=Mix)
    strict: bool = False

    def chunks(self, sources: Iterable[str], limit: int | None = None) -> Iterator[Chunk]:
        """The rows of some sources, `limit` of them."""
        budget = RowBudget(limit)
        for source in sources:
            part = parse_source(source)
            if part.share < 1 or self.mix.max_per_source is not None:
                yield from self.part_chunks(source, budget)
            elif isinstance(part.name, InMemory) or is_builtin(part.name) or looks_like_hub_name(part.name):
                for name, rows in open_source(part.name, self.columns):
                    yield from self.row_chunks(name, budget.take(rows))
            else:
                for path in files_of(Path(part.name)):
                    yield from self.file_chunks(path, budget)

    def part_chunks(self, source: str, budget: RowBudget) -> Iterator[Chunk]:
        """The rows of a source of which not all are taken."""
        notes: list[str] = []
        found = iterate(
            source, strict=self.strict, note=notes.append, columns=self.columns, mix=self.mix, limit=budget.left
        )
        for chunk in gathered(source, found, notes):
            if budget.left is not None:
                budget.left -= len(chunk.items)
            yield chunk

    def row_chunks(self, name: str, rows: Iterable[InputRow | Record]) -> Iterator[Chunk]:
        """The rows of one file or data set, parsed here."""
        notes: list[str] = []
        yield from gathered(
            name, join_rows(understand(name, rows, notes.append, self.columns), strict=self.strict), notes
        )

    def file_chunks(self, path: Path, budget: RowBudget) -> Iterator[Chunk]:
        """The rows of one file; lines of JSON are left as they are where each row is a record of its own."""
        name = str(path)
        if reader_of(path) is not read_jsonl:
            also_json = frozenset(each.path for each in self.columns if each.target in JSON_CELLS)
            yield from self.row_chunks(name, budget.take(read_file(path, also_json=also_json)))
            return
        head: list[InputLine] = []
        stream = budget.take(line for line in lines(path) if line.error is not None or line.data.strip())
        notes: list[str] = []
        opening = opening_of(name, from_lines(path, kept(stream, head)), notes.append, self.columns)
        if opening.format is None or opening.format.joins:
            yield from self.row_chunks(name, from_lines(path, chain(head, stream)))
            return
        for batch in batches(chain(head, stream), lambda line: len(line.data)):
            yield Chunk(name, tuple(notes), (), batch, opening.format, self.columns, opening.ignored, opening.formats)
            notes = []


def kept(found: Iterable[T], into: list[T]) -> Iterator[T]:
    """What comes by, which is put into a list too."""
    for each in found:
        into.append(each)
        yield each


def gathered(name: str, items: Iterable[Loadable], notes: list[str]) -> Iterator[Chunk]:
    """Chunks of rows that were read; `notes` fills while they come, and what it holds goes with the chunk."""
    for batch in batches(items, weight):
        yield Chunk(name, tuple(notes), batch)
        notes.clear()
    if notes:
        yield Chunk(name, tuple(notes))


def weight(item: Loadable) -> int:
    """About how many bytes a row takes."""
    if isinstance(item, Record):
        return sum(len(turn.content) for conversation in item.conversations for turn in conversation)
    return len(item.text) if isinstance(item, Document) else 0


def batches(found: Iterable[T], size: Callable[[T], int]) -> Iterator[tuple[T, ...]]:
    """What is found in groups of CHUNK_ROWS, or fewer where they come to CHUNK_BYTES."""
    batch: list[T] = []
    total = 0
    for each in found:
        batch.append(each)
        total += size(each)
        if len(batch) == CHUNK_ROWS or total >= CHUNK_BYTES:
            yield tuple(batch)
            batch, total = [], 0
    if batch:
        yield tuple(batch)


def read(chunk: Chunk, *, strict: bool) -> tuple[list[Loadable], list[Late]]:
    """The rows of a chunk, and the columns among them that are ignored; DataError for a bad row with `strict`."""
    if not chunk.lines:
        return list(chunk.items), []
    items: list[Loadable] = []
    late: list[Late] = []
    seen, formats = set(chunk.ignored), set(chunk.formats)
    for row in from_lines(Path(chunk.name), chunk.lines):
        item: Loadable
        if isinstance(row, Raw):
            understood = keyed(chunk.format, row, chunk.columns)
            item = understood.read.item
            late += news_of(chunk.name, row.line, understood, seen, formats)
        else:
            item = row
        if strict:
            refuse_bad(item)
        items.append(item)
    return items, late


def news_of(name: str, line: int, row: Understood, seen: set[str], formats: set[str]) -> Iterator[Late]:
    """What a row is the first of its chunk to have."""
    if row.format is None:
        return
    new = ignored_in(row.format, row.columns) - seen
    other = row.format if row.format not in formats and isinstance(row.read.item, Record) else None
    if new or other:
        seen |= new
        formats |= {row.format} if other else set()
        yield Late(name, line, frozenset(new), other)


class Notes:
    """What is said of files while their chunks come back, each column named as ignored once."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self.seen: dict[str, set[str]] = {}
        self.formats: dict[str, set[str]] = {}

    def say(self, chunk: Chunk, late: Iterable[Late]) -> None:
        """Say what is new in the next chunk."""
        for sentence in chunk.notes:
            self.note(sentence)
        for name, line, columns, format_name in late:
            if format_name is not None and format_name not in self.formats.setdefault(name, set()):
                self.formats[name].add(format_name)
                self.note(other_note(name, line, format_name))
            known = self.seen.setdefault(name, set())
            if new := set(columns) - known:
                known |= new
                self.note(late_note(name, line, new))
