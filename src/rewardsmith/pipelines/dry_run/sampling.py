"""Large sources as a sample: the first rows of each file, the same share of every one, and how many rows there are in all.

Rows are counted by line ends, or by what a Parquet file says of itself; of the rest they are estimated from its size.
"""

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from rewardsmith.data.input.hub import looks_like_hub_name
from rewardsmith.data.input.readers import files_of, read_file
from rewardsmith.data.input.renaming import Rename
from rewardsmith.data.input.rows import Raw
from rewardsmith.data.loading.load import Loaded, iterate
from rewardsmith.data.loading.mixing import Mix, parse_source
from rewardsmith.data.synthetic.builtin import is_builtin
from rewardsmith.errors import UsageError
from rewardsmith.records import Document, Quarantined, Record
from rewardsmith.settings.in_memory import InMemory

FEW_BYTES = 8 << 20
"""Sources up to this size together are read whole."""
SAMPLE_ROWS = 2000
COUNTED_BYTES = 1 << 30
"""Of a file, whose line ends are counted; the rest is taken to be like it."""
BLOCK = 1 << 20
BY_LINES = {".jsonl", ".ndjson", ".csv", ".txt"}


@dataclass(frozen=True)
class SampledSources:
    """Sources to read instead of others: `share` of their `rows`, 1 where they are read whole."""

    sources: tuple[str, ...]
    rows: int
    share: float
    understood: tuple[str, ...] = ()


def refuse_downloads(sources: Iterable[str]) -> None:
    """UsageError for a source that would have to be downloaded to be looked at."""
    for source in sources:
        name = parse_source(source).name
        if not isinstance(name, InMemory) and not is_builtin(name) and looks_like_hub_name(name):
            raise UsageError(f"--dry-run downloads nothing, and {name} is not on this disk; download it first")


def files_in(sources: Iterable[str]) -> list[Path]:
    """The files of sources that have some; built-in data and data in memory have none."""
    names = [parse_source(source).name for source in sources]
    return [
        path for name in names if not isinstance(name, InMemory) and not is_builtin(name) for path in files_of(name)
    ]


def size_of(sources: Iterable[str]) -> int:
    """Bytes of all files, those that are compressed as if they were not."""
    return sum(path.stat().st_size * (8 if path.suffix == ".gz" else 1) for path in files_in(sources))


def share_to_read(sources: Sequence[str]) -> float:
    """The share of the rows of all sources that a sample takes; 1 where they are few."""
    if size_of(sources) <= FEW_BYTES:
        return 1.0
    return min(1.0, SAMPLE_ROWS / max(1, sum(map(row_count, files_in(sources)))))


def sampled(sources: Sequence[str], share: float, *, columns: tuple[Rename, ...], mix: Mix) -> SampledSources:
    """The first rows of each file of the sources, `share` of all, as data in memory under the file's name.

    Of a source that is to be taken in part (`a.jsonl:0.3`, a cap), as much less is taken.
    """
    found: list[str] = []
    rows = 0
    said: list[str] = []
    for source in sources:
        part = parse_source(source)
        if isinstance(part.name, InMemory) or is_builtin(part.name):
            found.append(source)
            continue
        counts = {path: row_count(path) for path in files_of(part.name)}
        total = sum(counts.values())
        taken = min(part.share, (mix.max_per_source or total) / max(1, total))
        rows += total
        for path, count in counts.items():
            most = max(1, round(count * taken * share))
            items = list(iterate(path, note=said.append, columns=columns, limit=most))
            found.append(InMemory(str(path), loaded(items)))
    return SampledSources(tuple(found), rows, share, tuple(said))


def loaded(items: Sequence[object]) -> Loaded:
    """Items that were read, as sources take them."""
    records = tuple(item for item in items if isinstance(item, Record))
    bad = tuple(item for item in items if isinstance(item, Quarantined))
    documents = tuple(item for item in items if isinstance(item, Document))
    return Loaded(records, bad, documents, (), rows=len(records) + len(bad) + len(documents))


def row_count(path: Path) -> int:
    """How many rows a file has, about: exact for short files of lines and for Parquet."""
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    if path.suffix == ".gz":
        return compressed_rows(path) if kind in BY_LINES else by_size(path)
    if kind == ".parquet":
        from pyarrow.parquet import ParquetFile

        return int(ParquetFile(path).metadata.num_rows)
    return lines_of(path) if kind in BY_LINES else by_size(path)


def lines_of(path: Path) -> int:
    """Line ends of a file, the last line counted even without one."""
    size, read, ends, last = path.stat().st_size, 0, 0, b"\n"
    with path.open("rb") as file:
        while read < COUNTED_BYTES and (block := file.read(BLOCK)):
            ends += block.count(b"\n")
            read += len(block)
            last = block[-1:]
    return round(ends * size / max(1, read)) + (last != b"\n")


def compressed_rows(path: Path) -> int:
    """Line ends of the first 16 MiB of a compressed file, times how often its size is what was read for them."""
    with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as file:
        text = file.read(16 * BLOCK)
        everything = not file.read(1)
        share = 1.0 if everything else path.stat().st_size / max(1, raw.tell())
    return round(text.count(b"\n") * share)


def by_size(path: Path) -> int:
    """Rows of a file that has to be parsed to tell: its size over that of its first rows as JSON."""
    first = [row for row in islice(read_file(path), 200) if isinstance(row, Raw)]
    each = sum(len(orjson.dumps(row.row, default=str)) for row in first) / max(1, len(first))
    return len(first) if len(first) < 200 else round(path.stat().st_size / max(1.0, each))
