"""Settings as keyword arguments of a Python function: what each takes, its default, its help, and the typed value.

A keyword takes whatever becomes the setting's type without loss: text for a path, one value for a list, a mapping for a
nested Config, a NumPy number for a number. Everything else is refused, as in a YAML file.
"""

import dataclasses
import difflib
import functools
import inspect
import operator
import os
import textwrap
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.settings.elsewhere import suggestion
from rewardsmith.settings.fields import NAME, REQUIRED, names, settings_of
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.values import arms, from_yaml, is_optional, length, shown

WIDTH = 112
"""Characters of a line in a docstring."""
COMMAND_LINE = {"dry_run"}
"""Settings that change what a command returns: the function of the same name has them not."""


def keywords_of(kind: type, files: Collection[str] = ()) -> Iterator[inspect.Parameter]:
    """A keyword-only parameter for each field of a Config; `files` are the texts that name files, so a Path will do."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in COMMAND_LINE:
            continue
        factory: Any = field.default_factory
        default = field.default if factory is REQUIRED else factory()
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is REQUIRED else default,
            annotation=accepted(hints[field.name], files=field.name in files),
        )


def accepted(hint: Any, *, files: bool = False) -> Any:
    """The annotation of a keyword whose setting has the type `hint`."""
    found = [_accepted(arm, files) for arm in arms(hint)]
    return functools.reduce(operator.or_, [*found, None] if is_optional(hint) else found)


def _accepted(arm: Any, files: bool) -> Any:
    if arm is Path or (files and arm is str):
        return str | Path
    if dataclasses.is_dataclass(arm):
        named = any(field.name == NAME for field in dataclasses.fields(arm))
        return arm | Mapping[str, Any] | str if named else arm | Mapping[str, Any]  # type: ignore[operator]
    if typing.get_origin(arm) is not tuple:
        return arm
    one = _accepted(typing.get_args(arm)[0], files)
    several = Sequence[one]  # type: ignore[valid-type]
    return several if length(arm) else one | several


def help_of(kind: type) -> str:
    """A paragraph per setting that a function has, for a docstring."""
    wrap = functools.partial(textwrap.fill, width=WIDTH, initial_indent="    ", subsequent_indent=" " * 8)
    settings = [setting for setting in settings_of(kind) if setting.key not in COMMAND_LINE]
    return "\n".join(wrap(f"{setting.key}: {setting.help}", break_on_hyphens=False) for setting in settings)


def refuse_command_line(function: str, given: Iterable[str]) -> None:
    """UsageError for a setting that only the command line has."""
    for name in sorted(COMMAND_LINE.intersection(given)):
        raise UsageError(
            f"{name} is an option of the command line; run `rewardsmith {function} --{name.replace('_', '-')}`"
        )


def refuse_unknown(function: str, given: Collection[str], known: Collection[str], kind: type | None = None) -> None:
    """UsageError for a keyword that is not one of `known`, with the one that was probably meant.

    Aliases of the settings of `kind` are accepted, as in YAML: `learning_rate` is `lr`.
    """
    refuse_command_line(function, given)
    for name in given:
        if name in known or (kind is not None and name in names(kind)):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = suggestion(name, kind, "python") if kind is not None else ""
        hint = hint or (f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(known)}.")
        raise UsageError(f"{function} has no option {name!r}.{hint}")


def typed(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given keywords as settings by dotted key, for `build`; UsageError for a value that is not of the type."""
    settings = {setting.key: setting for setting in settings_of(kind)}
    values: dict[str, Any] = {}
    for key, value in flattened(canonical(kind, given), settings):
        try:
            values[key] = from_yaml(plain(value), settings[key].hint)
        except UsageError as error:
            raise UsageError(f"{key}: {error}") from error
    return values


def canonical(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords under our own names; UsageError where one setting is given under two names."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        key = names(kind)[name].key if name in names(kind) else name
        if key in found:
            raise UsageError(f"{key!r} is given twice, once as {name!r}; keep one")
        found[key] = value
    return found


def flattened(given: Mapping[str, Any], known: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The keywords, the fields of a nested Config by dotted key."""
    for name, value in given.items():
        inside = inside_of(name, known)
        fields = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
        if inside and isinstance(fields, Mapping):
            refuse_unknown(name, fields, inside)
            yield from ((inside[field], inner) for field, inner in fields.items())
        elif inside and name not in known:  # a section without a word of its own, as loss="hinge" is
            raise UsageError(f"{name}: got {shown(value)}, expected a mapping of its settings to their values")
        else:
            yield name, value


def inside_of(section: str, known: Collection[str]) -> dict[str, str]:
    """The fields of a nested Config with their dotted keys; {} for a setting that is no section."""
    inside = {key.removeprefix(section + "."): key for key in known if key.startswith(section + ".")}
    return {NAME: section, **inside} if inside and section in known else inside


def check_types(given: Mapping[str, tuple[Any, Any]]) -> None:
    """UsageError, which names the keyword, for the first value that is not of its type: name → (value, type)."""
    for name, (value, hint) in given.items():
        try:
            from_yaml(plain(value), hint)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error


def plain(value: Any) -> Any:
    """The value as YAML would have it: paths as text, what can be gone through as a list, NumPy's numbers as numbers."""
    if isinstance(value, InMemory) or hasattr(value, "__arrow_c_stream__"):  # a frame would give its columns' names
        return value
    if type(value).__module__ == "numpy":
        value = value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return [plain(item) for item in value]
    return value
