"""Progress, notes and one-line errors on standard error: bars for a terminal, a line now and then for a log file."""

import contextlib
import errno
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, cast

from rewardsmith import launch
from rewardsmith.language import say
from rewardsmith.launch.redaction import redacted
from rewardsmith.progress import SILENT, Progress, Task

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 10.0
GONE = {errno.EIO, errno.EPIPE, errno.ENXIO, errno.EBADF}
"""How writing fails where nobody is left to read: a closed terminal, a pipe without a reader, a closed descriptor."""


def one_line(text: str) -> str:
    """A message on one line and harmless to a terminal: white space is joined, control characters are escaped."""
    joined = " ".join(text.split())
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in joined)


def write_anything(stream: TextIO) -> None:
    """Let a stream show a character that its encoding lacks as an escape (`\\u2013`), instead of failing on it."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


class Lasting:
    """A stream for notes, that may go away (its terminal is closed, the reader of its pipe ends) without ending the work."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, as far as anybody is there to read."""
        self.attempt(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, as far as anybody is there to read."""
        self.attempt(self.stream.flush)

    def attempt(self, act: Callable[[], object]) -> None:
        """Do it; where nobody can read any more, the stream leads nowhere from here on."""
        try:
            act()
        except OSError as error:
            if error.errno in GONE:
                leave(self.stream)


def leave(stream: TextIO) -> None:
    """Let a stream whose other end is gone lead nowhere, for whatever writes there, at the end of the program too."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


@contextlib.contextmanager
def lasting_errors() -> Iterator[None]:
    """Standard error, for the time of the block, as a stream whose end does not end the work."""
    before = sys.stderr
    sys.stderr = cast(TextIO, Lasting(before))
    try:
        yield
    finally:
        sys.stderr = before


def open_closed() -> None:
    """Open standard streams that were closed (`>&-`): else the next file takes their number, and what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace"))


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback as usual, without the secrets that messages of libraries may hold."""
    sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))


def progress_for(stream: TextIO | None = None) -> Progress:
    """Bars where the stream (default: standard error) is a terminal that can redraw, else plain lines.

    Nothing where another process of the same launch speaks.
    """
    if not launch.speaks():
        return SILENT
    stream = stream or sys.stderr
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return BarProgress(stream)
    return LineProgress(stream)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def figures_text(figures: dict[str, float]) -> str:
    """`loss=0.61 accuracy=0.7`, four digits each."""
    return " ".join(f"{name}={value:.4g}" for name, value in figures.items())


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
        far = f"{self.done:g} {self.unit}"
        if self.total:
            far = f"{self.done:g}/{self.total:g} {self.unit} ({100 * self.done / self.total:.0f} %)"
        parts = [f"{self.label}: {far}", f"{rate:.3g} {self.unit}{say('/s')}", say(f"{clock(seconds)} so far")]
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


class BarTask:
    """One bar of a BarProgress."""

    def __init__(self, bars: "Bars", identity: "TaskID") -> None:
        self.bars, self.identity = bars, identity
        self.figures: dict[str, float] = {}

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Move the bar and change the figures beside it."""
        self.figures.update(figures)
        self.bars.update(self.identity, advance=amount, figures=figures_text(self.figures))


class BarProgress:
    """Bars with rate and time left, drawn by rich; they may be nested and share one display."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self.console = Console(file=stream, highlight=False)
        self.bars: Bars | None = None
        self.open = 0

    def note(self, text: str) -> None:
        """Write the text as one line above the bars; its square brackets are no markup."""
        self.console.print(say(redacted(one_line(text))), markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def task(self, label: str, total: float | None, unit: str) -> Iterator[Task]:
        """A bar below those that are already there."""
        if self.bars is None:
            self.bars = self._display()
            self.bars.start()
        bars, self.open = self.bars, self.open + 1
        try:
            yield BarTask(bars, bars.add_task(say(one_line(label)), total=total, unit=say(unit), figures=""))
        finally:
            self.open -= 1
            if self.open == 0:
                bars.stop()
                self.bars = None

    def _display(self) -> "Bars":
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.progress import Task as Row
        from rich.text import Text

        class Rate(ProgressColumn):
            """Units per second."""

            def render(self, task: Row) -> Text:
                speed = task.finished_speed or task.speed
                return Text(f"{speed:.3g} {task.fields['unit']}{say('/s')}" if speed else "")

        return Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self.console,
        )
