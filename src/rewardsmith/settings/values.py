"""From the words of a command line, or the values of a YAML file, to typed values; nothing is coerced silently.

A type is one of bool, int, float, str, Path, Literal, `X | None`, a union of these, `tuple[X, ...]`, or a tuple of
fixed length. Refusals are UsageErrors that name the value got and what was expected; the caller puts the key before.
"""

import difflib
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from rewardsmith.errors import UsageError
from rewardsmith.settings.file_names import not_utf8
from rewardsmith.settings.in_memory import InMemory

WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "text", Path: "a path"}
PLACEHOLDERS = {bool: "", int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}


def arms(hint: Any) -> tuple[Any, ...]:
    """The members of a union, `None` left out; any other type is its own only member."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(arm for arm in get_args(hint) if arm is not type(None))
    return (hint,)


def is_optional(hint: Any) -> bool:
    """Whether None is allowed."""
    return type(None) in get_args(hint) and get_origin(hint) in (Union, types.UnionType)


def is_switch(hint: Any) -> bool:
    """Whether the flag takes no value (`--strict`, `--no-strict`)."""
    return arms(hint) == (bool,)


def element(hint: Any) -> Any:
    """The type of the elements of a tuple type, or None where the type is no tuple."""
    for arm in arms(hint):
        if get_origin(arm) is tuple:
            return get_args(arm)[0]
    return None


def length(hint: Any) -> int | None:
    """How many elements a tuple type of fixed length has; None for `tuple[X, ...]` and for other types."""
    members = next((get_args(arm) for arm in arms(hint) if get_origin(arm) is tuple), ())
    return None if not members or members[-1] is Ellipsis else len(members)


def words(hint: Any) -> str:
    """The type in plain English, for error messages."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        count = length(hint)
        return f"a list of {count if count else 'values'}, each {words(element(hint))}"
    if hint in WORDS:
        return WORDS[hint]
    if len(arms(hint)) > 1 or is_optional(hint):
        return " or ".join(words(arm) for arm in arms(hint))
    raise TypeError(f"{hint!r} is not a supported type of a setting; see rewardsmith.settings.values")


def placeholder(hint: Any) -> str:
    """What stands for the value in the help: INT, PATH, {a,b}, …; empty for a switch."""
    if get_origin(hint) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(hint)) + "}"
    if get_origin(hint) is tuple:
        count = length(hint)
        return " ".join([placeholder(element(hint))] * count) if count else placeholder(element(hint)) + "..."
    return PLACEHOLDERS[hint] if hint in PLACEHOLDERS else "|".join(placeholder(arm) for arm in arms(hint))


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the closest of `known`, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def from_words(given: str | Sequence[str], hint: Any) -> Any:
    """Type what stood on the command line; one word, or several for a tuple type."""
    if element(hint) is not None and not isinstance(given, str):
        return tuple(from_words(word, element(hint)) for word in given)
    assert isinstance(given, str)
    failures: list[UsageError] = []
    # A plain word is always text, so text comes last: `int | str` turns 5 into a number.
    for arm in sorted(arms(hint), key=lambda arm: arm in (str, Path)):
        try:
            return _one_word(given, arm)
        except UsageError as error:
            failures.append(error)
    raise failures[0] if len(failures) == 1 else UsageError(f"got {given!r}, expected {words(hint)}")


def _one_word(word: str, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return _choice(word, hint)
    if word == "":
        raise UsageError(f"got no value, expected {words(hint)}")
    if hint in (str, Path):
        return hint(in_utf8(word))
    try:
        # int("1_000") and float("1_000") are Python's own notation; nobody else reads it so.
        return {int: int, float: float}[hint](word.replace("_", "?"))
    except (ValueError, KeyError):
        raise UsageError(f"got {word!r}, expected {words(hint)}") from None


def in_utf8(text: str) -> str:
    """The text itself; UsageError where it is a name in bytes that are not UTF-8."""
    if problem := not_utf8(text):
        raise UsageError(problem)
    return text


def _choice(word: Any, hint: Any) -> Any:
    choices = {str(choice): choice for choice in get_args(hint)}
    if str(word) not in choices:
        known = ", ".join(choices)
        raise UsageError(f"got {word!r}, expected one of {known}.{nearest(str(word), choices)}")
    return choices[str(word)]


def from_yaml(value: Any, hint: Any) -> Any:
    """Check a value of a YAML file strictly: 5 is not text, "5" is no number, true is not 1, 3 may be a float."""
    if value is None:
        if is_optional(hint):
            return None
        raise UsageError(f"got no value, expected {words(hint)}")
    failures: list[UsageError] = []
    for arm in arms(hint):
        try:
            return _one_value(value, arm)
        except UsageError as error:
            failures.append(error)
    raise failures[0] if len(failures) == 1 else UsageError(f"got {shown(value)}, expected {words(hint)}")


def _one_value(value: Any, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        if type(value) not in {type(choice) for choice in get_args(hint)}:
            raise UsageError(f"got {shown(value)}, expected {words(hint)}")
        return _choice(value, hint)
    if get_origin(hint) is tuple:
        return _list(value, hint)
    return _scalar(value, hint)


def _scalar(value: Any, hint: Any) -> Any:
    if type(value) is hint or (hint is str and isinstance(value, InMemory)):
        return in_utf8(value) if hint is str else value
    if hint is float and type(value) is int:
        return float(value)
    if hint is Path and type(value) is str and value:
        return Path(in_utf8(value))
    advice = "; put it in quotes" if hint is str and isinstance(value, int | float) else ""
    raise UsageError(f"got {shown(value)}, expected {words(hint)}{advice}")


def _list(value: Any, hint: Any) -> tuple[Any, ...]:
    count = length(hint)
    if not isinstance(value, list) and count is None:
        value = [value]  # `dataset: pairs.jsonl` can only mean a list of one
    if not isinstance(value, list):
        raise UsageError(f"got {shown(value)}, expected {words(hint)}; write [a, b]")
    if count is not None and len(value) != count:
        raise UsageError(f"got {len(value)} values, expected {count}")
    return tuple(from_yaml(item, element(hint)) for item in value)


def shown(value: Any) -> str:
    """A YAML value with the name of its type, shortened."""
    names = {bool: "the switch", int: "the number", float: "the number", str: "the text", list: "the list"}
    text = str(value).lower() if isinstance(value, bool) else " ".join(repr(value).split())
    return f"{names.get(type(value), type(value).__name__)} {text if len(text) <= 60 else text[:57] + '...'}"
