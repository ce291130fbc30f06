"""Files written so that a crash leaves either the old or the new content, never a half."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

from rewardsmith.errors import OutputError

T = TypeVar("T")
JSON_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, as hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


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


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file atomically: temporary file, fsync, rename, fsync of the folder."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


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
    count = 0
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as handle:
                for line in lines:
                    handle.write(line)
                    count += 1
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    return count


def append_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Add JSON lines to a file of a folder that is still being filled."""
    with explained(path), path.open("ab") as handle:
        for row in rows:
            handle.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def write_folder(path: Path, fill: Callable[[Path], T]) -> T:
    """Let `fill` write into a temporary folder, then rename it to `path`; nobody ever sees a half-filled folder."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            result = fill(temporary)
            for file in temporary.rglob("*"):
                sync(file)
            sync(temporary)
            if path.exists():
                shutil.rmtree(path)
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync(path.parent)
        return result


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that is a file, or that holds something and may not be emptied; changes nothing."""
    with explained(path):
        if path.is_file():
            raise OutputError(f"{path} is a file; expected a folder to write into; choose another output")
        if not overwrite and path.is_dir() and any(path.iterdir()):
            raise OutputError(f"{path} is not empty; choose another output or pass --overwrite")


def refuse_inside(output: Path, inputs: Iterable[str]) -> None:
    """OutputError where an input is the output or lies inside it: emptying the output would delete it.

    Inputs that are no path on this disk (built-in data, names on the hub) are passed over; links are followed.
    """
    place = output.resolve()
    for name in inputs:
        path = Path(name)
        # A link inside the output is lost with it, wherever it leads to.
        ways = (path.resolve(), path.parent.resolve() / path.name)
        if path.exists() and any(place == way or place in way.parents for way in ways):
            raise OutputError(f"{output} holds the input {name}; choose another output")


def prepare_output(path: Path, *, overwrite: bool) -> None:
    """Make the folder `path`, refusing one that holds something unless `overwrite` (which empties it)."""
    check_output(path, overwrite=overwrite)
    with explained(path):
        if path.is_dir():
            shutil.rmtree(path)
        path.mkdir(parents=True)
