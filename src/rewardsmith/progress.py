"""How long work tells a person where it stands; lower layers know only these two protocols, never a terminal."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, runtime_checkable


@runtime_checkable
class Task(Protocol):
    """One piece of work with a bar of its own."""

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Report `amount` units done; `figures` are shown beside the bar (loss=0.61, accuracy=0.7)."""


@runtime_checkable
class Progress(Protocol):
    """Where notes and bars go: standard error for the command line, nowhere for the library."""

    def note(self, text: str) -> None:
        """Say one line to the person at the terminal."""

    def task(self, label: str, total: float | None, unit: str) -> contextlib.AbstractContextManager[Task]:
        """Start a bar over `total` units (None: unknown)."""


class SilentTask:
    """A task that nobody watches."""

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Do nothing."""


class Silent:
    """The library's default: no output at all."""

    def note(self, text: str) -> None:
        """Do nothing."""

    @contextlib.contextmanager
    def task(self, label: str, total: float | None, unit: str) -> Iterator[Task]:
        """Yield a task that shows nothing."""
        yield SilentTask()


SILENT = Silent()
