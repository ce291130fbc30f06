"""A source → its rows, one by one: files, folders, data frames, data sets, lists. Memory does not grow with the file.

A row is `Raw` (a dict that can be trusted), `Quarantined` (damaged, with the reason) or, from `.txt`, a `Document`.
What stops a whole source (missing, unreadable, of an unknown kind) is a DataError.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rewardsmith.data.arrays import elements
from rewardsmith.data.lines import MAX_ROW_BYTES, Line, lines, readable
from rewardsmith.data.rows import RowError, excerpt, kind, parse, refuse_surrogates, trusted
from rewardsmith.errors import DataError, first_line
from rewardsmith.records import Document, Quarantined

BATCH_ROWS = 1000
JSON_CELLS = frozenset(
    {"responses", "scores", "ranks", "ranking", "ratings", "pairs", "votes", "margin", "models", "score"}
    | {"score_0", "score_1", "score_chosen", "score_rejected", "chosen_score", "rejected_score", "chosen-rating"}
    | {"rejected-rating", "chosen_rating", "rejected_rating", "chosen_avg_rating", "rejected_avg_rating"}
    | {"preference_strength", "overall_preference", "winner_model_a", "winner_model_b", "winner_tie", "kto_tag"}
    | {"is_safe", "is_response_0_safe", "is_response_1_safe", "better_response_id", "safer_response_id"}
)
# Names that mean a number or true/false only beside certain others; alone they are text like any column.
JSON_CELLS_BESIDE = {
    "completion": frozenset({"label"}),
    "human_ref_A": frozenset({"labels", "score_A", "score_B"}),
    "helpfulness": frozenset({"helpfulness", "correctness", "coherence", "complexity", "verbosity"}),
}
PYTHON_WORDS = {"True": True, "False": False}  # as pandas writes them
PREPARED = ("train.jsonl", "validation.jsonl", "test.jsonl")
SURROGATE_ESCAPE = re.compile("[\udc80-\udcff]")


class Raw(NamedTuple):
    """One good row: where it stands (`line` counts from 1) and its columns."""

    file: str
    line: int
    row: dict[str, Any]


Row = Raw | Quarantined | Document


def quarantined(file: str, line: int, error: RowError, raw: Any) -> Quarantined:
    """The ledger entry of a row that was refused."""
    return Quarantined(file, line, error.code, str(error), excerpt(raw))


def from_lines(path: Path, found: Iterable[Line]) -> Iterator[Row]:
    """Rows of JSON texts; blank ones are no rows."""
    name = str(path)
    for number, data, error in found:
        if error is None and not data.strip():
            continue
        try:
            if error is not None:
                raise error
            yield Raw(name, number, parse(data))
        except RowError as problem:
            yield quarantined(name, number, problem, data)


def read_jsonl(path: Path) -> Iterator[Row]:
    """JSON lines: one object per line."""
    return from_lines(path, lines(path))


def read_json(path: Path) -> Iterator[Row]:
    """A JSON array of rows (numbered from 1), one object, or JSON lines."""
    return from_lines(path, elements(path))


def read_txt(path: Path) -> Iterator[Row]:
    """Plain text: one Document per line that holds more than white space."""
    name = str(path)
    for number, data, error in lines(path):
        try:
            if error is not None:
                raise error
            text = data.removesuffix(b"\r").decode()
        except UnicodeDecodeError as problem:
            reason = f"byte {problem.start + 1} of the line is not UTF-8 ({problem.reason}); expected UTF-8 text"
            yield quarantined(name, number, RowError("invalid_utf8", reason), data)
        except RowError as broken:
            yield quarantined(name, number, broken, data)
        else:
            if text.strip():
                yield Document(text, name, number)


def read_csv(path: Path, *, also_json: frozenset[str] = frozenset()) -> Iterator[Row]:
    """Comma-separated values with a header; the line of a row is the one it begins on.

    Cells are text, but columns that hold numbers, lists or true/false (JSON_CELLS, those that go with another column
    of the header, and `also_json`) are read as JSON, an empty cell as missing.
    """
    name = str(path)
    broken: list[tuple[Line, RowError]] = []

    def texts() -> Iterator[str]:
        for line in lines(path, blank=True):
            if line.error is not None:
                broken.append((line, line.error))
                return
            yield line.data.decode(errors="surrogateescape") + "\n"

    csv.field_size_limit(MAX_ROW_BYTES)  # the default refuses answers beyond 128 KB
    reader = csv.reader(texts(), strict=True)
    header = csv_header(path, reader)
    as_json = json_columns(header) | also_json
    while True:
        begin, cells = reader.line_num + 1, []
        try:
            cells = next(reader)
            if cells:
                yield Raw(name, begin, csv_row(header, cells, as_json))
        except StopIteration:
            break
        except csv.Error as error:
            reason = f"not CSV: {error}; expected quotes that close and are doubled inside a cell"
            yield quarantined(name, begin, RowError("broken_csv", reason), "")
        except RowError as problem:
            yield quarantined(name, begin, problem, ",".join(cells))
    for line, damage in broken:
        yield quarantined(name, line.number, damage, line.data)


def csv_header(path: Path, reader: Any) -> list[str]:
    """The column names of a CSV file; DataError where they are damaged or come twice."""
    try:
        header: list[str] = next(reader, [])
        refuse_surrogates(header)
    except (csv.Error, RowError) as error:
        raise DataError(f"{path}: the header is not UTF-8 CSV ({error}); save the file as UTF-8 CSV") from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: the column {twice[0]!r} comes twice in the header; expected different names; rename")
    return header


def json_columns(header: Iterable[str]) -> frozenset[str]:
    """The columns of a CSV file that are read as JSON."""
    beside = (names for name, names in JSON_CELLS_BESIDE.items() if name in header and names <= {*header})
    return JSON_CELLS.union(*beside)


def csv_row(header: list[str], cells: list[str], as_json: frozenset[str] = JSON_CELLS) -> dict[str, Any]:
    """One CSV row as columns."""
    if len(cells) != len(header):
        raise RowError(
            "wrong_columns", f"the row has {len(cells)} cells, the header {len(header)}; quote commas in text"
        )
    row: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if SURROGATE_ESCAPE.search(cell):
            raise RowError("invalid_utf8", f"the cell {name!r} is not UTF-8; save the file as UTF-8")
        if re.match(r"\[\s*\{['\"]", cell) and name not in as_json:
            raise RowError("wrong_type", f"the cell {name!r} is a message list written as text; export as JSON lines")
        row[name] = csv_value(name, cell) if name in as_json else cell
    return row


def csv_value(name: str, cell: str) -> Any:
    """A cell of a column that holds JSON."""
    if not cell.strip():
        return None
    if cell in PYTHON_WORDS:
        return PYTHON_WORDS[cell]
    try:
        return parse(b'{"cell":' + cell.encode() + b"}")["cell"]
    except (RowError, KeyError):
        raise RowError("wrong_type", f"the cell {name!r} is {cell[:40]!r}; expected a JSON number or list") from None


def read_parquet(path: Path) -> Iterator[Row]:
    """A Parquet file; rows are numbered from 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with readable(path), pq.ParquetFile(path) as file:
            yield from from_batches(str(path), file.iter_batches(batch_size=BATCH_ROWS))
    except pa.ArrowException as error:
        raise DataError(f"{path} is not readable as Parquet: {first_line(error)}; write it again") from error


def from_batches(name: str, batches: Iterable[Any]) -> Iterator[Row]:
    """Rows of Arrow record batches."""
    line = 0
    for batch in batches:
        for fetch in fetchers(batch):
            line += 1
            yield from_object(name, line, fetch)


def fetchers(batch: Any) -> Iterator[Callable[[], Any]]:
    """One function per row of a batch; where a text of the batch is not UTF-8, only that row's function raises."""
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:
        return (partial(only_row, batch, index) for index in range(batch.num_rows))
    return (partial(itself, row) for row in rows)


def only_row(batch: Any, index: int) -> Any:
    """One row of a batch as Python objects."""
    return batch.slice(index, 1).to_pylist()[0]


def itself(row: Any) -> Any:
    """A row that is there already."""
    return row


def from_object(name: str, line: int, fetch: Callable[[], Any]) -> Row:
    """One row that exists as Python objects once `fetch` is called."""
    row: Any = None
    try:
        row = fetch()
        return Raw(name, line, trusted(row))
    except UnicodeDecodeError as error:
        problem = RowError("invalid_utf8", f"a text of the row is not UTF-8 ({error.reason}); expected UTF-8 text")
        return quarantined(name, line, problem, "")
    except RowError as problem:
        return quarantined(name, line, problem, row)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".txt": read_txt,
}


def reader_of(path: Path) -> Callable[[Path], Iterator[Row]] | None:
    """The reader for a file's name (a final .gz does not count), or None."""
    return READERS.get(Path(path.name.removesuffix(".gz")).suffix.lower())


def known_reader(path: Path) -> Callable[[Path], Iterator[Row]]:
    """The reader for a file's name; DataError where its ending is unknown."""
    reader = reader_of(path)
    if reader is None:
        ending = Path(path.name.removesuffix(".gz")).suffix
        raise DataError(f"{path} has an unknown ending {ending!r}; known: {', '.join(READERS)} (also .gz)")
    return reader


def files_of(source: str | Path) -> tuple[Path, ...]:
    """The files a path stands for: itself, or the data files below a folder, sorted by name.

    A folder that `prepare` wrote stands for its splits. DataError where there is nothing to read.
    """
    path = Path(source)
    with readable(path):
        if path.is_dir():
            return folder_files(path)
        if not path.exists():
            raise DataError(missing(path))
        known_reader(path)
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty; expected at least one row; check how it was written")
    return (path,)


def missing(path: Path) -> str:
    """What to say of a source that is not there; `--map a=b c=d` leaves c=d to the sources, and shares look like names."""
    if re.fullmatch(r"\w+=[^/]+", str(path)):
        return f"{path} does not exist; for a column under another name, write --map {path}, the flag once for each"
    whole = Path(str(path).rpartition(":")[0])
    if whole.name and whole.exists():
        return f"{path} does not exist; {whole} does, but only prepare and train take shares of it; name it whole here"
    return f"{path} does not exist; expected a file or folder with data; check the path"


def folder_files(folder: Path) -> tuple[Path, ...]:
    """The data files below a folder, hidden ones left out."""
    if (folder / "prepare.json").is_file():
        found = [folder / name for name in PREPARED if (folder / name).is_file()]
    else:
        visible = (path for path in sorted(folder.rglob("*")) if not is_hidden(path.relative_to(folder)))
        found = [path for path in visible if path.is_file() and reader_of(path)]
    if not found:
        raise DataError(f"{folder} holds no data files; expected files that end in {', '.join(READERS)} (also .gz)")
    return tuple(path for file in found for path in files_of(file))


def is_hidden(path: Path) -> bool:
    """Whether any part of a path begins with a dot."""
    return any(part.startswith(".") for part in path.parts)


def read_file(path: Path, *, also_json: frozenset[str] = frozenset()) -> Iterator[Row]:
    """The rows of one file, by its name's ending; `also_json` are further columns of a CSV file to read as JSON."""
    reader = known_reader(path)
    return read_csv(path, also_json=also_json) if reader is read_csv else reader(path)


def read_objects(source: Any) -> Iterator[Row]:
    """The rows of a data set, a data frame (through Arrow's interface), or any iterable of mappings."""
    if hasattr(source, "__arrow_c_stream__"):
        import pyarrow as pa

        return from_batches("dataset", split_batches(pa.RecordBatchReader.from_stream(source)))
    if isinstance(source, Mapping):
        splits = ", ".join(map(str, source)) or "nothing"
        raise DataError(f"a mapping with {splits} is no source; expected rows; pass one of its values")
    if not isinstance(source, Iterable) or isinstance(source, (str, bytes)):
        raise DataError(f"{kind(source)} is no source; expected a path, a data set or a list of rows")
    name = "rows" if isinstance(source, (list, tuple)) else "dataset"
    return (from_object(name, line, partial(itself, row)) for line, row in enumerate(source, 1))


def split_batches(batches: Iterable[Any]) -> Iterator[Any]:
    """Record batches of at most BATCH_ROWS rows (a view, not a copy)."""
    for batch in batches:
        for begin in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(begin, BATCH_ROWS)
