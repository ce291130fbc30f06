"""What every way of scoring does with rows: reads them in stretches, gives a row its fields, or an error in their place."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import DataError
from rewardsmith.pipelines.score.config import Config
from rewardsmith.pipelines.score.counts import RowCounts

if TYPE_CHECKING:
    from rewardsmith.data.loading.understanding import Read
    from rewardsmith.records import Quarantined

WINDOW = 1024  # rows looked at together; bounds memory, and what a killed run loses


def windows(config: Config, note: Callable[[str], None]) -> "Iterator[list[Read]]":
    """The source's rows in stretches of WINDOW; `note` gets what was understood of each file."""
    rows = input_rows(config, note)
    while window := list(islice(rows, WINDOW)):
        yield window


def input_rows(config: Config, note: Callable[[str], None]) -> "Iterator[Read]":
    """The source's rows as they were given, each with what it was understood as."""
    from rewardsmith.data.input.renaming import parse_renames
    from rewardsmith.data.loading.load import iterate_rows

    columns = parse_renames(config.map)
    return iterate_rows(
        config.source, strict=config.strict, columns=columns, note=note, reads=columns_read_by(config.model)
    )


def columns_read_by(model: str) -> frozenset[str]:
    """The columns of a row that a rewards file reads itself; none for anything else."""
    from rewardsmith.rewards.opening import kind_of

    if kind_of(model) != "verifiable":
        return frozenset()
    from rewardsmith.verifiable.definition import read_definition

    return read_definition(Path(model)).columns


def row_of(read: "Read") -> dict[str, Any]:
    """The row that gets the rewards: as it was given, or a Record that was passed in memory as its row."""
    from rewardsmith.data.formats.native import to_row
    from rewardsmith.records import Record

    if read.row is None and isinstance(read.item, Record):
        return to_row(read.item)
    return dict(read.row or {})


def without_response(item: Any) -> "Quarantined":
    """A row that is understood and has nothing to score: a line of plain text."""
    from rewardsmith.records import Quarantined

    return Quarantined(item.source, item.line, "plain_text", "plain text contains no responses to score", "")


def fail(row: dict[str, Any], place: str, reason: str, counts: RowCounts) -> None:
    """Give a row that cannot be scored its `error`, and count it."""
    refuse_taken(row, place, ["error"])
    row["error"] = f"{place}: {reason}"
    counts.not_scored += 1


def refuse_taken(row: Mapping[str, Any], place: str, written: Iterable[str]) -> None:
    """DataError where the input row has a column of its own by the name of one that is about to be written."""
    for name in written:
        if name in row:
            raise DataError(
                f"{place} already has a column {name!r}, which score would overwrite; rename it in the input"
            )
