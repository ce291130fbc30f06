"""Progress as plain lines, for log files and pipes: one now and then, and one when the work is over."""

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

from rewardsmith.language import say
from rewardsmith.launch.redaction import redacted
from rewardsmith.progress import Task
from rewardsmith.terminal.numbers import clock, count_text, figures_text, rate_text
from rewardsmith.terminal.streams import one_line

SECONDS_BETWEEN_LINES = 10.0


class LineTask:
    """A task that writes a line every SECONDS_BETWEEN_LINES, and one when it is over."""

    def __init__(self, stream: TextIO, label: str, *, total: float | None, unit: str) -> None:
        self.stream, self.label, self.total, self.unit = stream, say(label), total, say(unit)
        self.done = 0.0
        self.figures: dict[str, float] = {}
        self.started = self.spoken = time.monotonic()

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Count `amount` units, and write a line if the last one is long enough ago."""
        self.done += amount
        self.figures.update(figures)
        now = time.monotonic()
        if now - self.spoken >= SECONDS_BETWEEN_LINES:
            self.spoken = now
            self.write(now)

    def write(self, now: float) -> None:
        """One line: how far, how fast, how long still."""
        seconds = max(now - self.started, 1e-9)
        rate = self.done / seconds
        far = f"{count_text(self.done)} {self.unit}"
        if self.total:
            share = f"{100 * self.done / self.total:.0f} %"
            far = f"{count_text(self.done)}/{count_text(self.total)} {self.unit} ({share})"
        parts = [f"{self.label}: {far}", rate_text(rate, self.unit), say(f"{clock(seconds)} so far")]
        if self.total and 0 < self.done < self.total:
            parts.append(say(f"{clock((self.total - self.done) / rate)} left"))
        if self.figures:
            parts.append(figures_text(self.figures))
        self.stream.write(one_line(", ".join(parts)) + "\n")
        self.stream.flush()


class LineProgress:
    """Plain lines, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def note(self, text: str) -> None:
        """Write the text as one line, in the language spoken."""
        self.stream.write(say(redacted(one_line(text))) + "\n")
        self.stream.flush()

    @contextlib.contextmanager
    def task(self, label: str, total: float | None, unit: str) -> Iterator[Task]:
        """A task of plain lines; the last one comes even where the work was cut short."""
        task = LineTask(self.stream, label, total=total, unit=unit)
        try:
            yield task
        finally:
            task.write(time.monotonic())
