"""Sources → items of one benchmark, and the rows that could not be read; no row is lost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rewardsmith.data.benchmarks import labelled, ppe, processbench, rankings, rewardbench, rewardbench_2, rm_bench, rmb
from rewardsmith.data.benchmarks.item import BenchmarkItem, names_of
from rewardsmith.data.input.rows import InputRow, Raw, RowError, none_usable, quarantined
from rewardsmith.data.loading.load import iterate, open_source, reading
from rewardsmith.data.splits.sources import following
from rewardsmith.errors import DataError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Quarantined, Record

Reader = Callable[[Raw], BenchmarkItem]
CATEGORY_FIELDS = ("category", "subset", "section", "topic", "domain")

READERS: Mapping[str, Reader] = {
    "rewardbench": rewardbench.rewardbench,
    "rewardbench-2": rewardbench_2.rewardbench_2,
    "rm-bench": rm_bench.rm_bench,
    "judgebench": labelled.judgebench,
    "rmb": rmb.rmb,
    "llmbar": labelled.llmbar,
    "hhh": labelled.hhh,
    "ppe": ppe.ppe,
    "m-rewardbench": rewardbench.m_rewardbench,
    "if-rewardbench": rankings.if_rewardbench,
    "cheemsbench": rankings.cheemsbench,
    "long-rewardbench": rankings.long_rewardbench,
    "processbench": processbench.processbench,
}
"""The benchmarks with a layout of their own; data of all others is read as `train` reads it."""


@dataclass
class Items:
    """The items of some sources, how many rows they were read from, and the rows that could not be read."""

    items: list[BenchmarkItem] = field(default_factory=list)
    rows: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)


def read_items(benchmark: str, sources: Sequence[str], *, strict: bool = False, progress: Progress = SILENT) -> Items:
    """All items of the sources; DataError where there is none, and with `strict` for the first bad row."""
    found = Items()
    reader = READERS.get(benchmark)
    with progress.task(reading(sources), None, "rows") as task:
        for source in sources:
            rows = general(source, progress) if reader is None else own_layout(reader, source)
            for each in rows:
                task.advance()
                found.rows += 1
                if isinstance(each, Quarantined):
                    if strict:
                        raise DataError(f"{each.file}:{each.line}: {each.reason}")
                    found.quarantined.append(each)
                else:
                    found.items += each
    if not found.items:
        raise DataError(nothing_read(benchmark, found))
    return found


def own_layout(reader: Reader, source: str) -> Iterator[list[BenchmarkItem] | Quarantined]:
    """Each row of a source as an item, or why it is none."""
    for name, rows in open_source(source):
        for row in rows:
            yield item_of(reader, name, row)


def item_of(reader: Reader, name: str, row: InputRow | Record) -> list[BenchmarkItem] | Quarantined:
    """One row as an item."""
    if isinstance(row, Quarantined):
        return row
    if not isinstance(row, Raw):
        return Quarantined(
            name, row.line, "not_an_object", "the row is a line of text; expected an object with columns", ""
        )
    try:
        return [reader(row)]
    except RowError as error:
        return quarantined(row.file, row.line, error, row.row, row.byte)


def general(source: str, progress: Progress) -> Iterator[list[BenchmarkItem] | Quarantined]:
    """The records of a source in any format, an item for each attribute that they are compared by."""
    for row in iterate(source, note=progress.note):
        if isinstance(row, Quarantined):
            yield row
        elif isinstance(row, Record):
            yield [item for name in dict.fromkeys(c.attribute for c in row.comparisons) for item in items_of(row, name)]
        else:
            yield []


def items_of(record: Record, attribute: str) -> list[BenchmarkItem]:
    """The record's judgements of one attribute as an item; none where all of them are ties."""
    kept = following(record, attribute)
    if all(comparison.is_tie for comparison in kept.comparisons):
        return []
    subset = next((str(record.fields[name]) for name in CATEGORY_FIELDS if name in record.fields), None)
    return [BenchmarkItem(kept, subset or names_of(record.source)[0], part=attribute)]


def nothing_read(benchmark: str, found: Items) -> str:
    """What to say where no row is an item of the benchmark."""
    if not found.quarantined:
        return f"the data contains nothing to score for {benchmark}; expected rows with a preference"
    counts: dict[str, int] = {}
    for row in found.quarantined:
        counts[row.code] = counts.get(row.code, 0) + 1
    told = none_usable(found.rows, counts, found.quarantined[0])
    return f"{told}; check that the files are those of --benchmark {benchmark}"
