"""What was generated, by a hash of what was asked: a killed run asks for nothing twice, and a second run may ask less.

One SQLite file. A key holds all that decides a sample (model, sampling, prompt, number), so nothing in it becomes wrong.
Keys of an API and the headers of requests are no part of it.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.errors import DataError, OutputError
from rewardsmith.generate.candidates import (
    Candidate,
    PromptRequest,
    Sampling,
    TextGenerator,
    candidate_from,
    digest_of,
    prompt_facts,
)

FORM = 1
"""Of what is kept: what an earlier form kept has another key."""


class Store:
    """The candidates that one generator made with one way of sampling."""

    def __init__(self, file: "KeyedFile", generator: TextGenerator, sampling: Sampling) -> None:
        self.file = file
        self.made_by = digest_of(FORM, generator.made_by(sampling), sampling.facts())

    def key(self, request: PromptRequest, sample: int) -> str:
        """The key of a sample."""
        return digest_of(self.made_by, prompt_facts(request.prompt), sample)

    def find(self, request: PromptRequest, sample: int) -> Candidate | None:
        """A sample that was kept, None where there is none; DataError where it is damaged."""
        value = self.file.find(self.key(request, sample))
        if value is None:
            return None
        try:
            return candidate_from(value)
        except DataError as error:
            raise self.file.damaged(error) from error

    def keep(self, made: Sequence[tuple[PromptRequest, int, Candidate]]) -> None:
        """Keep some samples, all or none of them."""
        self.file.keep([(self.key(request, sample), each.to_json()) for request, sample, each in made])


class KeyedFile:
    """JSON values by key, in a file that several processes and threads may use at once: a server opens a judge in another
    thread than the one that asks it."""

    def __init__(self, file: sqlite3.Connection, path: Path | None) -> None:
        self.file, self.path = file, path
        self.lock = threading.Lock()

    def find(self, key: str) -> Any:
        """The value of a key, None where there is none; DataError where it is damaged."""
        with self.lock:
            row = self.file.execute("SELECT value FROM candidates WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            return orjson.loads(row[0])
        except orjson.JSONDecodeError as error:
            raise self.damaged(error) from error

    def keep(self, values: Sequence[tuple[str, Any]]) -> None:
        """Keep some values, all or none of them."""
        rows = [(key, orjson.dumps(value)) for key, value in values]
        try:
            with self.lock, self.file:
                for row in rows:
                    self.file.execute("INSERT OR REPLACE INTO candidates VALUES (?, ?)", row)
        except sqlite3.Error as error:
            raise OutputError(f"cannot write {self.path}: {error}") from error

    def damaged(self, error: Exception) -> DataError:
        """What is said of a value that cannot be read."""
        return DataError(f"{self.path} is damaged ({error}); delete it and run the same command again")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def open_file(path: Path | None) -> KeyedFile:
    """The values in a file, which is made where it is not there, or in memory (None); OutputError where it cannot be."""
    file = None
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(":memory:" if path is None else path, timeout=30, check_same_thread=False)
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE IF NOT EXISTS candidates (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        file.commit()
    except (sqlite3.Error, OSError) as error:
        if file is not None:
            file.close()
        raise OutputError(f"cannot use {path} to keep candidates: {error}; choose another --cache") from error
    return KeyedFile(file, path)


@contextlib.contextmanager
def opened(path: Path, generator: TextGenerator, sampling: Sampling) -> Iterator[Store]:
    """The store in a file, which is made where it is not there; OutputError where it cannot be, or is something else."""
    file = open_file(path)
    try:
        yield Store(file, generator, sampling)
    finally:
        file.close()


def remove(path: Path) -> None:
    """Remove a store and the files that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
