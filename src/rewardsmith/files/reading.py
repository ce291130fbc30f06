"""Files of ours that are read back: JSON, JSON lines and text; whatever is wrong with one is a DataError that names it.

Missing, unreadable, damaged, of another shape, nested without end, or larger than anything that we write.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin

from rewardsmith.errors import DataError, RewardsmithError, UsageError
from rewardsmith.settings.values import from_yaml

MOST_BYTES = 100_000_000
"""Of a file that is read at once; ours are below a few megabytes."""
WRITE_AGAIN = "restore the file, or run the command that wrote it again"


class Line(NamedTuple):
    """A JSON object of a file of lines, and its place: `path:number`."""

    place: str
    row: dict[str, Any]


def read_bytes(path: Path) -> bytes:
    """The content of a file that is there; DataError where it cannot be read or is too large to be ours."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB; {WRITE_AGAIN}")
    return content


def read_text(path: Path) -> str:
    """The text of a file that is there, in UTF-8."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}); {WRITE_AGAIN}") from error


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is no such file."""
    if not path.exists():
        return {}
    return as_object(read_bytes(path), str(path))


def as_object(content: bytes, place: str) -> dict[str, Any]:
    """A JSON object from bytes; NaN and Infinity are read as Python's json writes them."""
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise DataError(f"{place} is nested too deeply; {WRITE_AGAIN}") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, an integer of thousands of digits
        raise DataError(f"{place} is not JSON ({error}); {WRITE_AGAIN}") from error
    if not isinstance(value, dict):
        raise DataError(f"{place} contains a {type(value).__name__}; expected a JSON object")
    return value


def read_lines(path: Path) -> Iterator[Line]:
    """The objects of a file of JSON lines, empty lines left out."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), start=1):
                if line.strip():
                    yield Line(f"{path}:{number}", as_object(line, f"{path}:{number}"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def taking_from(place: object) -> Iterator[None]:
    """Where values of a file are taken out that cannot be what their names say: DataError that names the place."""
    try:
        yield
    except RewardsmithError as error:
        if not isinstance(error, DataError) or str(place) in str(error):
            raise
        raise DataError(f"{place}: {error}") from error
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DataError(f"{place} contains unexpected values ({cause}); {WRITE_AGAIN}") from error


def refuse_types(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """DataError for the first value that is there and is not what its hint says; nothing is coerced but 3 to 3.0.

    A hint is int, float, bool, str, a literal, a tuple or union of them, or Mapping, whose values are not looked at.
    """
    for name, hint in hints.items():
        value = values.get(name)
        parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if name not in values or (isinstance(value, dict) and any((get_origin(p) or p) is Mapping for p in parts)):
            continue
        try:
            from_yaml(value, hint)
        except UsageError as error:
            raise DataError(f"{name}: {error}") from error
