"""Progress as plain lines, for log files and pipes: one now and then, and one when the work is over."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from typing import TextIO

from rewardsmith.language import say
from rewardsmith.launch.redaction import redacted
from rewardsmith.progress import Task
from rewardsmith.terminal.numbers import clock, count_text, figures_text, rate_text
from rewardsmith.terminal.streams import one_line

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_REPORTS = 0.1
ENOUGH_REPORTS, ENOUGH_SHARE = 5, 0.1
"""Reports, or the share of the work, from which the time left is given: a first step takes many times as long as others."""


class LineTask:
    """A task that writes a line every SECONDS_BETWEEN_LINES, and one when it is over."""

    def __init__(self, stream: TextIO, label: str, *, total: float | None, unit: str) -> None:
        self.stream, self.label, self.total, self.unit = stream, say(label), total, say(unit)
        self.done = 0.0
        self.figures: dict[str, float] = {}
        self.started = self.spoken = time.monotonic()
        self.reports: deque[tuple[float, float]] = deque()  # (when, how much was done) of the last seconds

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Count `amount` units, and write a line if the last one is long enough ago."""
        self.done += amount
        self.figures.update(figures)
        now = time.monotonic()
        if amount and (not self.reports or now - self.reports[-1][0] >= SECONDS_BETWEEN_REPORTS):
            self.reports.append((now, self.done))
        while len(self.reports) > ENOUGH_REPORTS and now - self.reports[0][0] > SECONDS_BETWEEN_LINES:
            self.reports.popleft()
        if now - self.spoken >= SECONDS_BETWEEN_LINES:
            self.spoken = now
            self.write(now)

    def left(self, now: float) -> float | None:
        """Seconds that it still takes at the rate of the last reports; None where these are too few, or nothing is left.

        What lies before the first report (a first step with all that is done once, a resumed run's steps) says nothing.
        """
        if not self.total or not 0 < self.done < self.total or not self.reports:
            return None
        since, before = self.reports[0]
        done = self.done - before
        enough = len(self.reports) >= ENOUGH_REPORTS or done / (self.total - before) >= ENOUGH_SHARE
        return (self.total - self.done) / done * (now - since) if enough and done else None

    def write(self, now: float) -> None:
        """One line: how far, how fast, how long still."""
        seconds = max(now - self.started, 1e-9)
        rate = self.done / seconds
        far = f"{count_text(self.done)} {self.unit}"
        if self.total:
            share = f"{100 * self.done / self.total:.0f} %"
            far = f"{count_text(self.done)}/{count_text(self.total)} {self.unit} ({share})"
        parts = [f"{self.label}: {far}", rate_text(rate, self.unit), say(f"{clock(seconds)} so far")]
        if (left := self.left(now)) is not None:
            parts.append(say(f"{clock(left)} left"))
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
