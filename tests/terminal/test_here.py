"""What the Python functions show without being told: bars in a terminal or a notebook, nothing in a script."""

import contextlib
import os
import pty
import subprocess
import sys

import pytest

from rewardsmith.terminal.notebook import NotebookProgress, notebook

SCRIPT = "import rewardsmith as rs; rs.load('synthetic:30'{}); print('done')"


def test_a_script_without_a_terminal_shows_nothing():
    done = subprocess.run([sys.executable, "-c", SCRIPT.format("")], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize(("option", "bars"), [("", True), (", progress=rs.SILENT", False)])
def test_a_terminal_gets_bars_unless_it_shall_be_silent(option, bars):
    leader, follower = pty.openpty()
    words = [sys.executable, "-c", SCRIPT.format(option)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=follower, env=environment, check=True)
    os.set_blocking(leader, False)
    try:
        shown = os.read(leader, 100_000).decode()
    except BlockingIOError:
        shown = ""
    finally:
        os.close(follower)
        os.close(leader)
    assert ("30 rows" in shown) == bars
    assert bool(shown) == bars


class Shell:
    """Keeps what is published, as the front end of a notebook does: an update replaces what has its id."""

    def __init__(self):
        self.display_pub = self
        self.cells = []

    def publish(self, data, transient=None, update=False):
        name = (transient or {}).get("display_id")
        if update:
            (place,) = [number for number, (known, _) in enumerate(self.cells) if known == name]
            self.cells[place] = (name, data["text/plain"])
        else:
            self.cells.append((name, data["text/plain"]))


def test_a_notebook_shows_bars_that_replace_themselves_and_notes_between_them():
    shell = Shell()
    progress = NotebookProgress(shell)
    progress.note("first\nnote")
    with progress.task("outer", 2, "steps") as outer:
        with progress.task("inner", None, "rows") as inner:
            inner.advance(30)
        outer.advance(1, loss=0.5)
    with progress.task("next", 3, "rows") as task:
        task.advance(3)
    notes, first, second = [text for _, text in shell.cells]
    assert notes == "first note"
    assert [line.split()[0] for line in first.splitlines()] == ["outer", "inner"]
    assert "30 rows" in first
    assert "loss" in first
    assert second.startswith("next")
    assert "3 rows" in second


def test_a_bar_of_work_that_failed_is_not_full():
    shell = Shell()
    with contextlib.suppress(KeyError), NotebookProgress(shell).task("work", 10, "rows") as task:
        task.advance(2)
        raise KeyError
    assert "2/10" in shell.cells[0][1]


def test_this_is_no_notebook():
    assert notebook() is None
