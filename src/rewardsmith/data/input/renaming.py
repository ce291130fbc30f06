"""Columns under other names: `prompt=instruction`, also from inside an object, `chosen=annotations.best`; and what the
values of a label mean, `preferred=label:1=a,2=b`.
"""

import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rewardsmith.data.input.fields import names
from rewardsmith.data.input.rows import RowError
from rewardsmith.errors import DataError, UsageError

LABEL = "preferred"
"""The new name whose values may be given a meaning: which of two responses is the better one."""
USUAL = (
    *("prompt", "chosen", "rejected", LABEL, "messages", "responses", "response"),
    *("question", "instruction", "conversation"),
)
"""Names that most formats have."""
RULE = re.compile(r"(.+?):((?:[^,]+=(?:a|b|tie))(?:,[^,]+=(?:a|b|tie))*)")


class Rename(NamedTuple):
    """The column `target` is to hold what stands at `path`: a column, or a place inside one, parts joined by dots.

    `rule` has (value as text, "a", "b" or "tie") for each value that is known; without one, values stay as they are.
    """

    target: str
    path: str
    rule: tuple[tuple[str, str], ...] = ()


def parse_renames(given: Iterable[str] | Mapping[str, str]) -> tuple[Rename, ...]:
    """Renames from texts `target=path`, or from a mapping; UsageError where they cannot be understood."""
    if isinstance(given, str):
        given = (given,)
    pairs = given.items() if isinstance(given, Mapping) else map(parse, given)
    found = [with_rule(*each) for each in pairs]
    targets = [rename.target for rename in found]
    if twice := next((name for name in targets if targets.count(name) > 1), None):
        raise UsageError(f"--map sets {twice!r} twice; expected each column once")
    return tuple(found)


def parse(text: str) -> tuple[str, str]:
    """One `target=path`, apart."""
    target, separator, path = text.partition("=")
    if not (target and separator and path):
        raise UsageError(f"--map {text!r}: expected NAME=COLUMN, for example prompt=instruction")
    refuse_misspelt(target, path)
    return target, path


def refuse_misspelt(target: str, path: str) -> None:
    """UsageError for a name that is almost that of a column which most formats have, and of none: `promt`.

    A name that continues another (`prompts`, `response_a`) is one of its own.
    """
    close = difflib.get_close_matches(target, USUAL, n=1, cutoff=0.8)
    if not close or target in USUAL or not target.isalpha() or not target.islower():
        return
    if not (target.startswith(close[0]) or close[0].startswith(target)):
        raise UsageError(f"--map {target}={path}: unknown name {target!r}. Did you mean {close[0]!r}?")


def with_rule(target: str, path: str) -> Rename:
    """A rename; behind the path of a label may stand what its values mean. UsageError where one is named twice."""
    found = RULE.fullmatch(path) if target == LABEL else None
    if found is None:
        refuse_half_rule(target, path)
        return Rename(target, path)
    rule = tuple((value.strip(), side) for value, _, side in (each.rpartition("=") for each in found[2].split(",")))
    values = [value for value, _ in rule]
    if twice := next((value for value in values if values.count(value) > 1), None):
        raise UsageError(f"--map {target}={path}: the value {twice!r} is named twice; expected each once")
    return Rename(target, found[1], rule)


def refuse_half_rule(target: str, path: str) -> None:
    """UsageError for what was meant as a rule and is none."""
    if target == LABEL and re.search(r":[^,:]+=", path):
        raise UsageError(
            f"--map {target}={path}: expected COLUMN:VALUE=a,VALUE=b, with a, b or tie for each value; for example "
            "preferred=label:1=a,2=b"
        )


def meaning(value: Any, rename: Rename) -> Any:
    """What a label's value means by the rule of a rename; RowError where the rule does not name it."""
    if not rename.rule or value is None:
        return value
    sides = dict(rename.rule)
    said = label_text(value)
    if said not in sides:
        raise RowError(
            "no_judgement",
            f"{rename.path} is {said[:40]!r}, which --map {rename.target}={rename.path}:… does not name; it names "
            f"{', '.join(sides)}",
        )
    return sides[said]


def label_text(value: Any) -> str:
    """A label's value as it is written in a rule: whole numbers without a point, true and false as JSON has them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


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
    for each in renames:
        if each.target in found:
            raise RowError("column_taken", f"{taken(each.target, each.path)}")
        there, value = look_up(row, each.path)
        if there:
            found[each.target] = meaning(value, each)
    return found


def check_renames(name: str, sample: Sequence[dict[str, Any]], renames: Sequence[Rename]) -> None:
    """DataError where no row of the sample has the column to rename, or one has the new name already."""
    if not sample:
        return
    for target, path, rule in renames:
        if any(target in remaining(row, renames) for row in sample):
            raise DataError(f"{name}: {taken(target, path)}")
        if not any(look_up(row, path)[0] for row in sample):
            known = names(dict.fromkeys(column for row in sample for column in row))
            raise DataError(f"{name}: --map {target}={path}: no column {path!r}; the columns are {known}")

        if rule:
            refuse_other_values(name, sample, path, dict(rule))


def refuse_other_values(name: str, sample: Sequence[dict[str, Any]], path: str, rule: Mapping[str, str]) -> None:
    """DataError where a rule names none of the values of a label."""
    said = [label_text(value) for row in sample if (value := look_up(row, path)[1]) is not None]
    if said and not any(value in rule for value in said):
        raise DataError(
            f"{name}: --map {LABEL}={path}: the rule has the values {', '.join(rule)}, but the column has "
            f"{names(dict.fromkeys(said))}; use the values of the column"
        )


def renamed_sample(sample: Sequence[dict[str, Any]], renames: Sequence[Rename]) -> list[dict[str, Any]]:
    """The rows of a sample under their new names, without those whose label a rule does not name."""
    found = []
    for row in sample:
        with contextlib.suppress(RowError):
            found.append(rename(row, renames))
    return found


def taken(target: str, path: str) -> str:
    """Why a new name cannot be used."""
    return (
        f"--map {target}={path}: the column {target!r} exists already and would be lost; rename it too, for example "
        f"--map other_{target}={target}"
    )
