"""Files written so that a crash leaves either the old or the new content, never a half."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from rewardsmith.errors import OutputError

T = TypeVar("T")
JSON_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a failure while writing `path` into one line that names the path, the cause and the free space."""
    try:
        yield
    except Exception as error:
        # safetensors has its own error for a full disk; it is known by name so that nothing is imported for it.
        if not (isinstance(error, OSError) or type(error).__name__ == "SafetensorError"):
            raise
        cause = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {path}: {cause}{free_space(path)}") from error


def free_space(path: Path) -> str:
    """` (N MB free on that disk)` for the nearest folder that exists, or nothing where it cannot be told."""
    for folder in (path, *path.parents):
        if folder.is_dir():
            return f" ({shutil.disk_usage(folder).free // 1_000_000} MB free on that disk)"
    return ""


def write_through(path: Path, save: Callable[[Path], T]) -> T:
    """Let `save` write a temporary file, which takes the name `path` when it is complete and on the disk."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            result = save(temporary)
            sync(temporary)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)
    return result


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically: temporary file, fsync, rename, fsync of the folder."""
    write_through(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Write a whole text file atomically, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented."""
    write_bytes(path, orjson.dumps(value, option=JSON_OPTIONS) + b"\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Write JSON lines through a temporary file that takes its name only when complete; returns how many."""
    option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    return write_lines(path, (orjson.dumps(row, option=option) for row in rows))


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines through a temporary file that takes its name only when complete; returns how many."""

    def save(temporary: Path) -> int:
        count = 0
        with temporary.open("wb") as handle:
            for count, line in enumerate(lines, 1):  # noqa: B007
                handle.write(line)
        return count

    return write_through(path, save)
