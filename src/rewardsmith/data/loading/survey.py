"""What a file holds, before anything is done with it: each row parsed, its columns found, their types looked at.

No record is made and no text is read, so a file that does not fit in memory is surveyed in a tenth of the time that
`prepare` takes; what is wrong with texts, roles and judgements only `prepare` tells.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from rewardsmith.data.input.renaming import Rename, parse_renames
from rewardsmith.data.input.rows import InputRow, Raw
from rewardsmith.data.loading.load import open_source
from rewardsmith.data.loading.understanding import keyed, opening_of
from rewardsmith.records import Quarantined, Record

COLUMNS_AND_TYPES = frozenset({"missing_field", "wrong_type", "unknown_format", "two_columns", "column_taken"})
"""The refusals that a survey tells, beside those of rows that cannot be read."""
MOST_SHAPES = 10_000
NESTED = frozenset({dict, list})


@dataclass
class Survey:
    """How many rows there are, how many are refused by code, the first of each, and what was understood of each file."""

    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    first: dict[str, Quarantined] = field(default_factory=dict)
    understood: list[str] = field(default_factory=list)

    def refuse(self, row: Quarantined) -> None:
        """Count a row that cannot be used."""
        self.refused[row.code] += 1
        self.first.setdefault(row.code, row)


def survey(*sources: Any, map: Mapping[str, str] | Iterable[str] = ()) -> Survey:
    """Survey whole sources, as `load` takes them: which rows cannot be read, lack a column, or have one of another type."""
    found = Survey()
    columns = parse_renames(map)
    for source in sources:
        for name, rows in open_source(source, columns):
            survey_file(found, name, rows, columns)
    return found


def survey_file(found: Survey, name: str, rows: Iterable[InputRow | Record], columns: tuple[Rename, ...]) -> None:
    """Add one file. A row with the columns and types of one that made a record is not looked at further."""
    stream = iter(rows)
    opening = opening_of(name, stream, found.understood.append, columns)
    good: set[Hashable] = set()
    for row in chain(opening.rows, stream):
        found.rows += 1
        if isinstance(row, Quarantined):
            found.refuse(row)
        elif isinstance(row, Raw) and (shape := shape_of(row.row)) not in good:
            item = keyed(opening.format, row, columns).read.item
            if isinstance(item, Quarantined) and item.code in COLUMNS_AND_TYPES:
                found.refuse(item)
            elif len(good) < MOST_SHAPES:
                good.add(shape)


def shape_of(row: dict[str, Any]) -> Hashable:
    """The columns of a row and the types of their values, inside of objects and lists too."""
    kinds = [*map(type, row.values())]
    if NESTED.isdisjoint(kinds):
        return (*row, *kinds)
    return (*row, *[shape_of_value(value) for value in row.values()])


def shape_of_value(value: Any) -> Hashable:
    """The type of a value, with what it holds; a list counts by the different ones."""
    if isinstance(value, dict):
        return shape_of(value)
    if isinstance(value, list):
        return frozenset(map(shape_of_value, value))
    kind: type = type(value)
    return kind
