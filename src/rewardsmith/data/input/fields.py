"""Typed access to the columns of a raw row: each function returns exactly what it names or refuses the row."""

import math
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from rewardsmith.data.input.rows import RowError, Unusable, kind

Columns = Mapping[str, Any]
NAMES_SHOWN = 12


def required(row: Columns, name: str) -> Any:
    """The value of a column that has to be there and not null."""
    value = row.get(name)
    if value is None:
        raise RowError(
            "missing_field", f"the column {name!r} is missing or null; expected a value; fill or drop the row"
        )
    return value


def text(row: Columns, name: str) -> str:
    """A column that has to be text."""
    return as_text(required(row, name), name)


def optional_text(row: Columns, name: str) -> str | None:
    """A column that may be absent or null, and else has to be text."""
    return None if row.get(name) is None else text(row, name)


def as_text(value: Any, name: str) -> str:
    """`value` if it is text; a number or a list is refused, never turned into text."""
    if not isinstance(value, str):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected text")
    return value


def number(value: Any, name: str) -> float:
    """`value` as a float if it is a finite number; true/false and text are refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected a number")
    if not math.isfinite(value):
        raise RowError("not_a_number", f"{name} is {value}; expected a finite number")
    return float(value)


def optional_number(row: Columns, name: str) -> float | None:
    """A column that may be absent or null, and else has to be a number."""
    value = row.get(name)
    return None if value is None else number(value, name)


def items(row: Columns, name: str) -> list[Any]:
    """A column that has to be a list."""
    return as_list(required(row, name), name)


def as_list(value: Any, name: str) -> list[Any]:
    """`value` if it is a list."""
    if not isinstance(value, list):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected a list")
    return value


def numbers(value: Any, name: str, *, length: int) -> tuple[float | None, ...]:
    """`value` as numbers, one per response; null where a response has none."""
    found = as_list(value, name)
    if len(found) != length:
        raise RowError("wrong_length", f"{name} has {len(found)} entries; expected {length}, one per response")
    return tuple(None if entry is None else number(entry, f"{name}[{at}]") for at, entry in enumerate(found))


def texts(value: Any, name: str, *, length: int) -> tuple[str, ...] | None:
    """`value` as texts if it is a list of exactly `length` of them, else None."""
    if isinstance(value, list) and len(value) == length and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    return None


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """`value` if it is an object."""
    if not isinstance(value, Mapping):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected an object")
    return value


def others(row: Columns, used: frozenset[str]) -> dict[str, Any]:
    """The scalar columns that a format does not use itself: kept beside the record (null ones are absent)."""
    return {name: value for name, value in row.items() if name not in used and isinstance(value, (str, int, float))}


def ignored(row: Columns, used: frozenset[str]) -> set[str]:
    """The columns that are neither used nor kept: lists and objects a format does not know, and what has no JSON form."""
    return {name for name, value in row.items() if name not in used and isinstance(value, (list, dict, Unusable))}


def names(columns: Iterable[str]) -> str:
    """Column names in one line, the first NAMES_SHOWN of them, each cut to 40 characters."""
    listed = [str(column)[:40] for column in columns]
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return ", ".join(islice(listed, NAMES_SHOWN)) + more
