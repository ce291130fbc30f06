"""Progress as bars in a terminal, drawn by rich; what does not fit into its width is left out, the least important first."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TextIO

from rewardsmith.language import say
from rewardsmith.launch.redaction import redacted
from rewardsmith.progress import Task
from rewardsmith.terminal.numbers import clock, count_text, figures_text, rate_text
from rewardsmith.terminal.streams import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task as Row
    from rich.progress import TaskID
    from rich.text import Text

SHORTEST_BAR, LONGEST_BAR = 8, 30
LONGEST_LABEL = 28
"""Columns of a label, a third of the line at most; a longer one ends with an ellipsis."""
FIRST_FIGURES = ("loss", "accuracy")
"""Shown before the rate; other figures stand behind it."""


class BarTask:
    """One bar of a BarProgress."""

    def __init__(self, bars: "Bars", identity: "TaskID") -> None:
        self.bars, self.identity = bars, identity
        self.figures: dict[str, float] = {}

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Move the bar and change the figures beside it."""
        self.figures.update(figures)
        self.bars.update(self.identity, advance=amount, figures=dict(self.figures))

    def finish(self) -> None:
        """Fill the bar: the work is done, whether or not its amount was known."""
        done = self.bars.tasks[self.bars.task_ids.index(self.identity)].completed
        self.bars.update(self.identity, total=done or 1, completed=done or 1)


class BarProgress:
    """Bars with rate and time left; they may be nested and share one display."""

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
        """A bar below those that are already there; full and green at the end, unless the block was left by an error."""
        if self.bars is None:
            self.bars = display(self)
            self.bars.start()
        bars, self.open = self.bars, self.open + 1
        task = BarTask(bars, bars.add_task(say(one_line(label)), total=total, unit=say(unit), figures={}))
        try:
            yield task
            task.finish()
        finally:
            self.open -= 1
            if self.open == 0:
                bars.stop()
                self.bars = None


def display(progress: BarProgress) -> "Bars":
    """Bars of which each is one line, as wide as the terminal is at that moment."""
    from rich.progress import Progress as Bars
    from rich.text import Text

    plain = not (progress.console.encoding or "").lower().startswith("utf")

    class OneLineBars(Bars):
        """Rich's display with our own lines."""

        def get_renderables(self) -> Iterator[Text]:
            for row in self.tasks:
                if row.visible:
                    yield line_of(row, width=self.console.width - 1, plain=plain)

    return OneLineBars(console=progress.console)


def line_of(row: "Row", *, width: int, plain: bool = False) -> "Text":
    """A bar as one line of at most `width` columns; `plain` draws it in ASCII.

    Label, count and time come first, then the figures of FIRST_FIGURES, the rate and other figures, as far as they fit.
    """
    from rich.text import Text

    label = Text(row.description)
    label.truncate(min(LONGEST_LABEL, width // 3), overflow="ellipsis")
    line = label.append(" ")
    parts = [Text(part) for part in parts_of(row)]
    shown: list[Text] = []
    taken = line.cell_len + SHORTEST_BAR
    for part in parts:
        if taken + 1 + part.cell_len > width:
            break
        shown.append(part)
        taken += 1 + part.cell_len
    line.append_text(drawn(row, min(LONGEST_BAR, SHORTEST_BAR + width - taken), plain=plain))
    for part in shown:
        line.append(" ").append_text(part)
    line.truncate(width, overflow="crop")
    return line


def parts_of(row: "Row") -> Iterator[str]:
    """What stands behind a bar, the most important first."""
    figures: Mapping[str, float] = row.fields["figures"]
    unit = row.fields["unit"]
    yield f"{far(row)} {unit}"
    if row.finished:
        yield clock(row.finished_time or 0)
    elif row.time_remaining is not None:
        yield say(f"{clock(row.time_remaining)} left")
    yield from (figures_text({name: figures[name]}) for name in FIRST_FIGURES if name in figures)
    if speed := row.finished_speed or row.speed:
        yield rate_text(speed, unit)
    yield from (figures_text({name: value}) for name, value in figures.items() if name not in FIRST_FIGURES)


def far(row: "Row") -> str:
    """How many units are done, and of how many while that is known and not yet reached."""
    done = count_text(row.completed)
    return done if row.total is None or row.finished else f"{done}/{count_text(row.total)}"


def drawn(row: "Row", width: int, *, plain: bool) -> "Text":
    """The bar itself: green and full where the work is done, half bright where its amount is unknown."""
    from rich.text import Text

    done, rest = ("#", "-") if plain else ("━", "━")
    filled = int(width * row.percentage / 100) if row.total else 0
    style = "green" if row.finished else "magenta"
    return Text(done * filled, style=style).append(rest * (width - filled), style="bright_black")
