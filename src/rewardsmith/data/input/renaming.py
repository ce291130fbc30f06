"""Columns under other names: `prompt=instruction`, also from inside an object, `chosen=annotations.best`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rewardsmith.data.input.fields import names
from rewardsmith.data.input.rows import RowError
from rewardsmith.errors import DataError, UsageError


class Rename(NamedTuple):
    """The column `target` is to hold what stands at `path`: a column, or a place inside one, parts joined by dots."""

    target: str
    path: str


def parse_renames(given: Iterable[str] | Mapping[str, str]) -> tuple[Rename, ...]:
    """Renames from texts `target=path`, or from a mapping; UsageError where they cannot be understood."""
    if isinstance(given, str):
        given = (given,)
    found = [Rename(*each) for each in given.items()] if isinstance(given, Mapping) else [parse(text) for text in given]
    targets = [rename.target for rename in found]
    if twice := next((name for name in targets if targets.count(name) > 1), None):
        raise UsageError(f"--map sets {twice!r} twice; expected each column once")
    return tuple(found)


def parse(text: str) -> Rename:
    """One `target=path`."""
    target, separator, path = text.partition("=")
    if not (target and separator and path):
        raise UsageError(f"--map {text!r}: expected NAME=COLUMN, for example prompt=instruction")
    return Rename(target, path)


def look_up(row: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Whether there is something at `path`, and what: a column of exactly that name, else step by step at the dots.

    A step is a key of an object or the number of an element of a list, from 0.
    """
    if path in row:
        return True, row[path]
    value: Any = row
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def remaining(row: Mapping[str, Any], renames: Sequence[Rename]) -> dict[str, Any]:
    """The columns of a row that keep their name; one that is renamed whole is gone, one that is looked into stays."""
    moved = {rename.path for rename in renames}
    return {name: value for name, value in row.items() if name not in moved}


def rename(row: dict[str, Any], renames: Sequence[Rename]) -> dict[str, Any]:
    """The row under its new names; what is not there is left out. RowError where a new name is taken already."""
    if not renames:
        return row
    found = remaining(row, renames)
    for target, path in renames:
        if target in found:
            raise RowError("column_taken", f"{taken(target, path)}")
        there, value = look_up(row, path)
        if there:
            found[target] = value
    return found


def check_renames(name: str, sample: Sequence[dict[str, Any]], renames: Sequence[Rename]) -> None:
    """DataError where no row of the sample has the column to rename, or one has the new name already."""
    if not sample:
        return
    for target, path in renames:
        if any(target in remaining(row, renames) for row in sample):
            raise DataError(f"{name}: {taken(target, path)}")
        if not any(look_up(row, path)[0] for row in sample):
            known = names(dict.fromkeys(column for row in sample for column in row))
            raise DataError(f"{name}: --map {target}={path}: no column {path!r}; the columns are {known}")


def taken(target: str, path: str) -> str:
    """Why a new name cannot be used."""
    return (
        f"--map {target}={path}: the column {target!r} exists already and would be lost; rename it too, for example "
        f"--map other_{target}={target}"
    )
