"""Progress below the cell of a notebook: the bars of a terminal as text that is replaced in its place.

rich would need ipywidgets for it, and without them draws nothing; IPython, which every notebook has, is enough.
"""

import contextlib
import io
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rewardsmith.language import say
from rewardsmith.launch.redaction import redacted
from rewardsmith.progress import Task
from rewardsmith.terminal.bars import BarTask, line_of
from rewardsmith.terminal.streams import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

COLUMNS = 100
"""Of a line; the width of a cell is not known."""
SECONDS_BETWEEN_UPDATES = 0.2


def notebook() -> Any | None:
    """The shell of the notebook in which this runs (Jupyter, Colab, an editor's); None in a script or a terminal."""
    library = sys.modules.get("IPython")
    if library is None:
        return None
    shell = library.get_ipython()
    kind = type(shell)
    return shell if kind.__name__ == "ZMQInteractiveShell" or "google.colab" in kind.__module__ else None


class NotebookTask(BarTask):
    """One bar of a NotebookProgress."""

    def __init__(self, progress: "NotebookProgress", bars: "Bars", label: str, total: float | None, unit: str) -> None:
        super().__init__(bars, bars.add_task(label, total=total, unit=unit, figures={}))
        self.progress = progress

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Move the bar and change the figures beside it."""
        super().advance(amount, **figures)
        self.progress.draw()


class NotebookProgress:
    """Bars below a cell; nested ones share one display. `shell` publishes what is shown."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.bars: Bars | None = None
        self.open = self.displays = 0
        self.drawn = 0.0

    def note(self, text: str) -> None:
        """Show the text as a line of its own."""
        self.shell.display_pub.publish({"text/plain": say(redacted(one_line(text)))})

    @contextlib.contextmanager
    def task(self, label: str, total: float | None, unit: str) -> Iterator[Task]:
        """A bar below those that are already there; full at the end, unless the block was left by an error."""
        from rich.console import Console
        from rich.progress import Progress as Bars

        if self.bars is None:  # never started: rich counts and measures here, and shows nothing by itself
            self.bars = Bars(console=Console(file=io.StringIO(), force_jupyter=False))
            self.displays += 1
            self.draw(first=True)
        self.open += 1
        task = NotebookTask(self, self.bars, say(one_line(label)), total, say(unit))
        try:
            yield task
            task.finish()
        finally:
            self.open -= 1
            self.draw(now=True)
            if self.open == 0:
                self.bars = None

    def draw(self, *, first: bool = False, now: bool = False) -> None:
        """Show the bars in the place of what was shown of them, a few times a second at most."""
        moment = time.monotonic()
        if self.bars is None or not (first or now or moment - self.drawn >= SECONDS_BETWEEN_UPDATES):
            return
        self.drawn = moment
        lines = [line_of(row, width=COLUMNS).plain.rstrip() for row in self.bars.tasks]
        self.shell.display_pub.publish(
            {"text/plain": "\n".join(lines)},
            transient={"display_id": f"rewardsmith-{id(self)}-{self.displays}"},
            update=not first,
        )
