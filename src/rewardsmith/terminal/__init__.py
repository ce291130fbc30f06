"""What a person sees beside the result: notes, bars or log lines, and one-line errors, on standard error.

In comes a stream, and what work reports through `progress`; out come lines. Begin with `progress_for` below: `bars` draws in
a terminal, `notebook` below a cell, `lines` writes for log files; `streams` keeps standard streams usable.
"""

import os
import sys
from typing import Any, TextIO

from rewardsmith import launch
from rewardsmith.errors import UsageError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.values import shown
from rewardsmith.terminal.bars import BarProgress
from rewardsmith.terminal.lines import LineProgress
from rewardsmith.terminal.notebook import NotebookProgress, notebook
from rewardsmith.terminal.streams import (
    lasting_errors,
    leave,
    one_line,
    open_closed,
    show_bug,
    wants_colour,
    write_anything,
)

__all__ = [
    "lasting_errors",
    "leave",
    "one_line",
    "open_closed",
    "progress_for",
    "progress_here",
    "show_bug",
    "shown_progress",
    "wants_colour",
    "write_anything",
]


def progress_for(stream: TextIO | None = None) -> Progress:
    """Bars where the stream (default: standard error) is a terminal that can redraw, else plain lines.

    Nothing where another process of the same launch speaks.
    """
    if not launch.speaks():
        return SILENT
    stream = stream or sys.stderr
    return BarProgress(stream) if redraws(stream) else LineProgress(stream)


def progress_here() -> Progress:
    """What the Python functions show without being told: bars in a notebook or a terminal, else nothing."""
    if not launch.speaks():
        return SILENT
    if (shell := notebook()) is not None:
        return NotebookProgress(shell)
    return BarProgress(sys.stderr) if sys.stderr is not None and redraws(sys.stderr) else SILENT


def shown_progress(given: Any) -> Progress:
    """The progress that was given, or what suits the place; UsageError for anything else."""
    if given is None:
        return progress_here()
    if not isinstance(given, Progress) or isinstance(given, type):
        raise UsageError(f"progress: got {shown(given)}, expected a Progress; pass rewardsmith.SILENT to show nothing")
    return given


def redraws(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can draw over what it has shown."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
