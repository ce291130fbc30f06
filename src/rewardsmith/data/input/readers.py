"""A source → its rows, one by one: files, folders, data frames, data sets, lists. Memory does not grow with the file.

A row is `Raw` (a dict that can be trusted), `Quarantined` (damaged, with the reason) or, from `.txt`, a `Document`.
What stops a whole source (missing, unreadable, of an unknown kind) is a DataError.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rewardsmith.data.input.arrays import elements
from rewardsmith.data.input.arrow_rows import (
    arrow_batches,
    from_batches,
    from_object,
    itself,
    read_arrow,
    read_parquet,
    split_batches,
)
from rewardsmith.data.input.csv_rows import read_csv
from rewardsmith.data.input.lines import InputLine, lines, readable
from rewardsmith.data.input.rows import InputRow, Raw, RowError, kind, parse, quarantined
from rewardsmith.data.input.saved_datasets import is_beside_data, is_saved, saved_files
from rewardsmith.errors import DataError
from rewardsmith.files.places import near_name
from rewardsmith.records import Document
from rewardsmith.settings.file_names import not_utf8
from rewardsmith.settings.in_memory import names_memory

PREPARED = ("train.jsonl", "validation.jsonl", "test.jsonl")


def from_lines(path: Path, found: Iterable[InputLine]) -> Iterator[InputRow]:
    """Rows of JSON texts; blank ones are no rows."""
    name = str(path)
    for number, data, byte, error in found:
        if error is None and not data.strip():
            continue
        try:
            if error is not None:
                raise error
            yield Raw(name, number, parse(data), byte)
        except RowError as problem:
            yield quarantined(name, number, problem, data, byte)


def read_jsonl(path: Path) -> Iterator[InputRow]:
    """JSON lines: one object per line."""
    return from_lines(path, lines(path))


def read_json(path: Path) -> Iterator[InputRow]:
    """A JSON array of rows (numbered from 1), one object, or JSON lines."""
    return from_lines(path, elements(path))


def read_txt(path: Path) -> Iterator[InputRow]:
    """Plain text: one Document per line that holds more than white space."""
    name = str(path)
    for number, data, byte, error in lines(path):
        try:
            if error is not None:
                raise error
            text = data.removesuffix(b"\r").decode()
        except UnicodeDecodeError as problem:
            reason = f"byte {problem.start + 1} of the line is not UTF-8 ({problem.reason}); expected UTF-8 text"
            yield quarantined(name, number, RowError("invalid_utf8", reason), data, byte)
        except RowError as broken:
            yield quarantined(name, number, broken, data, byte)
        else:
            if text.strip():
                yield Document(text, name, number, byte)


READERS: dict[str, Callable[[Path], Iterator[InputRow]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".txt": read_txt,
}


def reader_of(path: Path) -> Callable[[Path], Iterator[InputRow]] | None:
    """The reader for a file's name (a final .gz does not count), or None."""
    return READERS.get(Path(path.name.removesuffix(".gz")).suffix.lower())


def known_reader(path: Path) -> Callable[[Path], Iterator[InputRow]]:
    """The reader for a file's name; DataError where its ending is unknown."""
    reader = reader_of(path)
    if reader is None:
        ending = Path(path.name.removesuffix(".gz")).suffix
        raise DataError(f"{path} has the unknown extension {ending!r}; known: {', '.join(READERS)} (also with .gz)")
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
        if problem := not_utf8(str(path)):
            raise DataError(problem)
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty; expected at least one row; check the program that wrote it")
    return (path,)


def missing(path: Path) -> str:
    """What to say of a source that is not there; `--map a=b c=d` leaves c=d to the sources, and shares look like names."""
    if re.fullmatch(r"\w+=[^/]+", str(path)):
        return f"{path} does not exist; to map a column name, write --map {path}, and repeat the flag for each column"
    if names_memory(path.name):
        return (
            f"{path} names rows that a Python program passed, which are in no file; pass them again from Python, or write "
            "them to a file"
        )
    whole = Path(str(path).rpartition(":")[0])
    if whole.name and whole.exists():
        return (
            f"{path} does not exist, but {whole} does; only prepare and train accept a share; use the name without "
            "the share here"
        )
    near = near_name(path)
    if near is not None:
        return f"{path} does not exist; did you mean {near}?"
    return f"{path} does not exist; expected a file or folder with data; check the path"


def folder_files(folder: Path) -> tuple[Path, ...]:
    """The data files below a folder, hidden ones left out."""
    if is_saved(folder):
        return tuple(saved_files(folder))
    names = [folder / name for name in PREPARED] if (folder / "prepare.json").is_file() else visible(folder)
    found = [path for path in names if path.is_file() and reader_of(path) and not is_beside_data(path)]
    if not found:
        raise DataError(
            f"{folder} contains no data files; expected files with the extensions {', '.join(READERS)} (also with .gz)"
        )
    return tuple(path for file in found for path in files_of(file))


def visible(folder: Path) -> Iterator[Path]:
    """All that lies below a folder, sorted by name, but for hidden files and folders and what lies in those."""
    return (path for path in sorted(folder.rglob("*")) if not is_hidden(path.relative_to(folder)))


def is_hidden(path: Path) -> bool:
    """Whether any part of a path begins with a dot."""
    return any(part.startswith(".") for part in path.parts)


def read_file(path: Path, *, also_json: frozenset[str] = frozenset()) -> Iterator[InputRow]:
    """The rows of one file, by its name's ending; `also_json` are further columns of a CSV file to read as JSON."""
    reader = known_reader(path)
    return read_csv(path, also_json=also_json) if reader is read_csv else reader(path)


def read_objects(source: Any, name: str | None = None) -> Iterator[InputRow]:
    """The rows of a data set, a data frame (through Arrow's interface), or an iterable of mappings; `name` is their file."""
    if is_lazy(source):
        source = source.collect()
    if hasattr(source, "__arrow_c_stream__"):
        return from_batches(name or "dataset", split_batches(arrow_batches(source)))
    refuse_no_rows(source)
    name = name or ("rows" if isinstance(source, (list, tuple)) else "dataset")
    return (from_object(name, line, partial(itself, row)) for line, row in enumerate(source, 1))


def is_lazy(source: Any) -> bool:
    """Whether a source is a query of polars, which has no rows before it is collected."""
    kind = type(source)
    return kind.__name__ == "LazyFrame" and kind.__module__.startswith("polars")


def refuse_no_rows(source: Any) -> None:
    """DataError for an object that cannot be gone through row by row."""
    if isinstance(source, Mapping):
        splits = ", ".join(map(str, source)) or "nothing"
        raise DataError(f"a mapping with the keys {splits} is not a data source; expected rows; pass one of its values")
    if not isinstance(source, Iterable) or isinstance(source, (str, bytes)):
        raise DataError(f"{kind(source)} is not a data source; expected a path, a data set or a list of rows")
