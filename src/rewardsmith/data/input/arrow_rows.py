"""Parquet and Arrow files, data sets and data frames → rows, through Arrow. A damaged part of a file costs its own rows."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rewardsmith.data.input.lines import readable
from rewardsmith.data.input.rows import Raw, RowError, Unusable, quarantined, trusted_columns
from rewardsmith.errors import DataError, first_line
from rewardsmith.records import Quarantined

ARROW_FILE = b"ARROW1"
BATCH_ROWS = 1000
CONVERSION_ERRORS = (ValueError, OverflowError, NotImplementedError)
"""What values raise that have no Python object: text that is not UTF-8, times beyond what Python counts."""
MOST_LOST_ROWS = 1_000_000
"""A part of a file that says it has more rows, and has none, is not believed."""


def read_parquet(path: Path) -> Iterator[Raw | Quarantined]:
    """A Parquet file; rows are numbered from 1. Rows of a row group that cannot be read are quarantined one by one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with readable(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
            line = 0
            for group in range(file.num_row_groups):
                end = line + file.metadata.row_group(group).num_rows
                for row in group_rows(path, file, group, line):
                    line = row.line
                    yield row
                if line != end:
                    raise DataError(f"{path} does not have the number of rows in its metadata; write the file again")
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}; write the file again") from error


def read_arrow(path: Path) -> Iterator[Raw | Quarantined]:
    """An Arrow file, a stream as `datasets` writes it or a file with a footer; one row stands for what cannot be read."""
    import pyarrow as pa

    line = 0
    with readable(path):
        try:
            with pa.OSFile(str(path)) as source:
                for row in from_batches(str(path), split_batches(record_batches(source))):
                    line = row.line
                    yield row
            return
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, not the data
            cause = first_line(error)
    if line == 0:
        raise DataError(f"{path} cannot be read as Arrow: {cause}; write the file again")
    reason = f"the rest of the file cannot be read ({cause}); copy or write the file again"
    yield quarantined(str(path), line + 1, RowError("damaged_arrow", reason), "")


def record_batches(source: Any) -> Iterator[Any]:
    """The record batches of an open Arrow file, each looked through: damaged ones could point anywhere in memory."""
    import pyarrow as pa

    begins = source.read(len(ARROW_FILE))
    source.seek(0)
    if begins == ARROW_FILE:
        file = pa.ipc.open_file(source)
        batches: Iterable[Any] = (file.get_batch(number) for number in range(file.num_record_batches))
    else:
        batches = pa.ipc.open_stream(source)
    for batch in batches:
        for column in batch.columns:
            refuse_damaged(column)
        yield batch


def refuse_damaged(column: Any) -> None:
    """ArrowInvalid for a column that is not what its type says; text that is not UTF-8 is found row by row."""
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise


def arrow_batches(source: Any) -> Iterable[Any]:
    """The record batches of a data frame; DataError where Arrow has no form for a column, or it is a single column.

    An index of pandas is a column where it has a name; one without is no data.
    """
    import pyarrow as pa

    try:
        if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
            named = any(name is not None for name in source.index.names)
            batches: Iterable[Any] = pa.Table.from_pandas(source, preserve_index=named).to_batches()
            return batches
        stream: Iterable[Any] = pa.RecordBatchReader.from_stream(source)
        return stream
    except (pa.ArrowException, ValueError, TypeError) as error:
        kind = type(source).__name__
        raise DataError(
            f"the {kind} cannot be read as rows: {first_line(error)}; expected a data frame with one type of "
            "value per column"
        ) from error


def split_batches(batches: Iterable[Any]) -> Iterator[Any]:
    """Record batches of at most BATCH_ROWS rows (a view, not a copy)."""
    for batch in batches:
        for begin in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(begin, BATCH_ROWS)


def group_rows(path: Path, file: Any, group: int, line: int) -> Iterator[Raw | Quarantined]:
    """The rows of one row group, the first of which follows row number `line`."""
    import pyarrow as pa

    end = line + file.metadata.row_group(group).num_rows
    cause = "the data ends early"
    try:
        for row in from_batches(str(path), file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group]), line):
            line = row.line
            yield row
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the data
        cause = first_line(error)
    if end - line > MOST_LOST_ROWS:
        raise DataError(f"{path}: row group {group + 1} cannot be read ({cause}); write the file again")
    reason = f"row group {group + 1} of the file cannot be read ({cause}); copy or write the file again"
    for number in range(line + 1, end + 1):
        yield quarantined(str(path), number, RowError("damaged_parquet", reason), "")


def from_batches(name: str, batches: Iterable[Any], line: int = 0) -> Iterator[Raw | Quarantined]:
    """Rows of Arrow record batches; the first one follows row number `line`."""
    for batch in batches:
        for index, fetch in enumerate(fetchers(batch)):
            line += 1
            yield from_object(name, line, fetch, partial(replaced_row, batch, index))


def fetchers(batch: Any) -> Iterator[Callable[[], Any]]:
    """One function per row of a batch; where a text of the batch is not UTF-8, only that row's function raises, and where
    another value cannot be had, only its row is without that column.
    """
    try:
        rows = batch.to_pylist()
    except CONVERSION_ERRORS:
        return (partial(whole_columns, batch, index) for index in range(batch.num_rows))
    return (partial(itself, row) for row in rows)


def itself(row: Any) -> Any:
    """A row that is there already."""
    return row


def whole_columns(batch: Any, index: int) -> dict[str, Any]:
    """One row of a batch, column by column: those that cannot become Python objects are `Unusable`."""
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.slice(index, 1).columns, strict=True):
        try:
            row[name] = column.to_pylist()[0]
        except UnicodeDecodeError:
            raise
        except CONVERSION_ERRORS as error:
            reason = f"a value of type {column.type} cannot be read ({first_line(error)}); write it as text or number"
            row[name] = Unusable(RowError("wrong_type", reason), str(column.type))
    return row


def replaced_row(batch: Any, index: int) -> dict[str, Any]:
    """One row of a batch with U+FFFD for bytes that are not UTF-8, to be shown."""
    import pyarrow as pa

    row = {}
    for name, column in zip(batch.schema.names, batch.slice(index, 1).columns, strict=True):
        try:
            row[name] = column.to_pylist()[0]
        except UnicodeDecodeError:
            try:
                row[name] = with_replacements(column.cast(bytes_type(column.type)).to_pylist()[0])
            except pa.ArrowException:
                row[name] = str(column.type)
        except CONVERSION_ERRORS:
            row[name] = str(column.type)
    return row


def bytes_type(kind: Any) -> Any:
    """An Arrow type with bytes in place of text."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        return pa.binary()
    if pa.types.is_large_string(kind):
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return bytes_type(kind.value_type)
    if pa.types.is_list(kind):
        return pa.list_(bytes_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(bytes_type(field.type)) for field in kind])
    return kind


def with_replacements(value: Any) -> Any:
    """A value whose bytes are text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [with_replacements(each) for each in value]
    if isinstance(value, dict):
        return {name: with_replacements(each) for name, each in value.items()}
    return value


def from_object(
    name: str, line: int, fetch: Callable[[], Any], damaged: Callable[[], Any] | None = None
) -> Raw | Quarantined:
    """One row that exists as Python objects once `fetch` is called; `damaged` tells what to show where that fails."""
    row: Any = None
    try:
        row = fetch()
        return Raw(name, line, trusted_columns(row))
    except UnicodeDecodeError as error:
        problem = RowError("invalid_utf8", f"a text of the row is not UTF-8 ({error.reason}); expected UTF-8 text")
        return quarantined(name, line, problem, damaged() if damaged else "")
    except RowError as problem:
        return quarantined(name, line, problem, row)
