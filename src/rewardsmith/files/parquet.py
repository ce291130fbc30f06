"""Rows as a Parquet file: written like JSON Lines, one after the other, with a schema that fits them all."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith.errors import DataError
from rewardsmith.files.atomic import write_lines, write_through

PARQUET = ".parquet"
AT_ONCE = 4096
"""Rows of a group; bounds memory."""


def write_rows(path: Path, lines: Iterable[bytes]) -> int:
    """Write rows, each as its JSON with a line end, as Parquet where the name ends in .parquet, else as JSON Lines.

    The file appears whole or not at all; returns how many rows. DataError where values of a column do not fit one type.
    """
    if path.suffix.lower() != PARQUET:
        return write_lines(path, lines)
    return write_through(path, lambda temporary: through_spool(temporary, path, lines))


def through_spool(temporary: Path, path: Path, lines: Iterable[bytes]) -> int:
    """Keep the lines in an unnamed file, and read them twice: for the schema, and for the rows."""
    count = 0
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        for line in lines:
            spool.write(line)
            count += 1
        try:
            save(temporary, spool)
        except (
            TypeError,
            ValueError,
            NotImplementedError,
            OverflowError,
        ) as error:  # pyarrow's errors derive from these
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"cannot write {path} as Parquet ({reason}); write JSON Lines: a name that ends in .jsonl"
            ) from error
    return count


def save(path: Path, spool: IO[bytes]) -> None:
    """The rows of the spool, in groups, under one schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = [pa.schema([])]
    for rows in groups(spool):
        found = pa.schema([(name, pa.array(values).type) for name, values in columns(rows).items()])
        schemas = [pa.unify_schemas([*schemas, found], promote_options="permissive")]
    (schema,) = schemas
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in groups(spool):
            arrays = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def groups(spool: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    """The rows of the spool from its beginning, some at a time."""
    spool.seek(0)
    while lines := list(islice(spool, AT_ONCE)):
        yield [orjson.loads(line) for line in lines]


def columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Every column of some rows, None where a row has it not."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
