"""Plain values out of JSON objects that other programs wrote: checked, never coerced."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.errors import DataError


def number(row: Mapping[str, Any], *names: str) -> float | None:
    """The first of `names` that is there and not null; NaN counts as null. DataError where it is not a number."""
    for name in names:
        value = row.get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{name} is {value!r}; expected a number or null")
        return float(value)
    return None


def share(row: Mapping[str, Any], *names: str) -> float | None:
    """As `number`, within [0, 1]; DataError outside, as for a percentage."""
    value = number(row, *names)
    if value is not None and not 0 <= value <= 1:
        raise DataError(f"{'/'.join(names)} is {value:g}; expected a share in [0, 1]; divide percentages by 100")
    return value


def count(row: Mapping[str, Any], *names: str) -> int | None:
    """As `number`, a whole number >= 0; DataError otherwise."""
    value = number(row, *names)
    if value is None:
        return None
    if value < 0 or value != int(value):
        raise DataError(f"{'/'.join(names)} is {value:g}; expected an integer >= 0")
    return int(value)


def interval(row: Mapping[str, Any], name: str) -> Interval95 | None:
    """A pair [low, high] of numbers; None where absent or null at an end; DataError for another shape."""
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise DataError(f"{name} is {value!r}; expected [low, high]")
    low, high = (number({name: end}, name) for end in value)
    return None if low is None or high is None else Interval95(low, high)


def words(row: Mapping[str, Any], name: str) -> str:
    """A text; "" where it is absent or null."""
    return str(row.get(name) or "")


def mapping(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object, empty where absent or null; DataError for another shape."""
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DataError(f"{name} is {value!r}; expected an object")
    return value
