"""Bars and lines: what a person sees of long work, at any width and in both languages."""

import io
import time
from itertools import pairwise

import pytest

from rewardsmith import terminal
from rewardsmith.language import speaking
from rewardsmith.terminal.bars import BarProgress, line_of
from rewardsmith.terminal.numbers import rate_text

FIGURES = {
    "margin": 1.2,
    "loss": 0.65123,
    "reward_mean": 0.1,
    "accuracy": 0.7,
    "reward_std": 0.33,
    "pairs_per_second": 12.3,
}


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_slow_task_writes_a_line_now_and_then(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with terminal.progress_for(stream).task("train", 100, "pairs") as task:
        for _ in range(4):
            now[0] += 5
            task.advance(10, loss=0.25)
    assert stream.getvalue().splitlines() == [
        "train: 20/100 pairs (20 %), 2 pairs/s, 0:00:10 so far, 0:00:40 left, loss=0.25",
        "train: 40/100 pairs (40 %), 2 pairs/s, 0:00:20 so far, 0:00:30 left, loss=0.25",
        "train: 40/100 pairs (40 %), 2 pairs/s, 0:00:20 so far, 0:00:30 left, loss=0.25",
    ]


def test_bars_may_be_nested_and_texts_are_no_markup():
    stream = Screen()
    progress = BarProgress(stream)
    with progress.task("outer [b]", 2, "files") as outer, progress.task("inner", None, "rows") as inner:
        inner.advance(3, loss=0.25)
        outer.advance()
        progress.note("[red]plain[/red]")
    assert "[red]plain[/red]" in stream.getvalue()
    assert "outer [b]" in stream.getvalue()
    assert "loss=0.25" in stream.getvalue()
    assert progress.bars is None


@pytest.fixture
def row():
    """The training bar after 100 of 2,312 steps, two a second."""
    now = [0.0]
    progress = BarProgress(Screen())
    progress.console.get_time = lambda: now[0]
    with progress.task("training", 2312, "steps") as task:
        for _ in range(100):
            now[0] += 0.5
            task.advance(1, **FIGURES)
        yield progress.bars.tasks[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [20, 40, 60, 79, 100, 140, 200])
def test_a_bar_is_one_line_that_fits(row, width, lang):
    with speaking(lang):
        line = line_of(row, width=width)
    assert line.cell_len <= width
    assert "\n" not in line.plain


def test_at_80_columns_step_time_left_loss_and_accuracy_are_there(row):
    line = line_of(row, width=79).plain
    for part in ("training ", "━━━━━━━━", "100/2,312 steps", " left", "loss=0.6512", "accuracy=0.7"):
        assert part in line
    assert "reward_std" not in line
    assert "reward_std=0.33" in line_of(row, width=200).plain


def test_the_most_important_part_goes_last(row):
    kept = [line_of(row, width=width).plain for width in range(20, 200)]
    for narrower, wider in pairwise(kept):
        parts = [part for part in ("2,312", " left", "loss=", "accuracy=", "steps/s", "margin=") if part in narrower]
        assert all(part in wider for part in parts)


@pytest.mark.parametrize("total", [None, 100, 50])
def test_a_finished_bar_is_full_and_green(total):
    progress = BarProgress(Screen())
    with progress.task("reading", None, "rows"):  # keeps the display open
        with progress.task("writing", total, "rows") as task:
            task.advance(50)
        line = line_of(progress.bars.tasks[1], width=79)
    assert "50 rows" in line.plain
    bar = next(span for span in line.spans if "━" in line.plain[span.start : span.end])
    assert bar.style == "green"
    assert line.plain.count("━") == bar.end - bar.start


def test_a_bar_that_an_error_ended_is_not_full():
    progress = BarProgress(Screen())
    with progress.task("reading", None, "rows"):
        with pytest.raises(OSError), progress.task("writing", 100, "rows") as task:  # noqa: PT011, PT012
            task.advance(50)
            raise OSError
        assert not progress.bars.tasks[1].finished


def test_a_screen_without_unicode_gets_ascii(row):
    assert line_of(row, width=79, plain=True).plain.isascii()


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (4084.6, "4,085 rows/s"),
        (1e6, "1,000,000 rows/s"),
        (99.96, "100 rows/s"),
        (2, "2 rows/s"),
        (0.25, "0.25 rows/s"),
        (1e-5, "0.0000 rows/s"),
    ],
)
def test_rates_are_never_powers_of_ten(rate, text):
    assert rate_text(rate, "rows") == text


def test_a_slow_start_promises_no_time(monkeypatch):
    """The first of 10,000 steps takes 14 seconds, the others a tenth each: not 39 hours, but 17 minutes."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with terminal.progress_for(stream).task("training", 10_000, "steps") as task:
        task.advance(0)
        now[0] += 14
        task.advance()
        for _ in range(120):
            now[0] += 0.1
            task.advance()
    first, second, *_ = stream.getvalue().splitlines()
    assert "left" not in first
    assert "0:16:2" in second.partition("so far")[2]


def test_the_steps_of_a_resumed_run_are_no_speed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with terminal.progress_for(stream).task("training", 1000, "steps") as task:
        task.advance(500)
        for _ in range(10):
            now[0] += 1
            task.advance()
    assert "0:08:10 left" in stream.getvalue().splitlines()[0]
