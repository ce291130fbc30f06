"""Standard streams that may be closed, go away, or lack a character; messages that are safe to print there."""

import contextlib
import errno
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TextIO, cast

from rewardsmith.launch.redaction import redacted

GONE = {errno.EIO, errno.EPIPE, errno.ENXIO, errno.EBADF}
"""How writing fails where nobody is left to read: a closed terminal, a pipe without a reader, a closed descriptor."""


def one_line(text: str) -> str:
    """A message on one line and harmless to a terminal: white space is joined, control characters are escaped."""
    joined = " ".join(text.split())
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in joined)


def wants_colour(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal that shows colours; NO_COLOR (no-color.org), where it is not empty, forbids them."""
    able = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    return able and not os.environ.get("NO_COLOR")


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
