"""The three standard streams of the program: that they are there, and how a bug is shown on them."""

import os
import sys
import traceback
from types import TracebackType

from rewardsmith.launch.redaction import redacted


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
