"""A folder that is replaced: whatever is interrupted, and wherever, the old one or the new one is there, whole."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith.files import claimed, folders, write_folder
from rewardsmith.files.kinds import EVALUATION

OLD = {"n": 1, "accuracy": 1.0, "records": 1}
NEW = {"n": 2, "accuracy": 0.5, "records": 2}
CALLS = (
    *((os, name) for name in ("rename", "replace", "fsync", "mkdir", "unlink", "rmdir", "chmod")),
    (folders, "exchange"),
)


def fill(folder):
    """Write the new evaluation."""
    (folder / "evaluation.json").write_text(json.dumps(NEW))
    (folder / "comparisons.jsonl").write_text("new\n")


def old_folder(place):
    """An evaluation of before."""
    place.mkdir()
    (place / "evaluation.json").write_text(json.dumps(OLD))
    (place / "comparisons.jsonl").write_text("old\n")
    return place


def state_of(place):
    """Which of the two a folder is; neither fails."""
    found = json.loads((place / "evaluation.json").read_text()), (place / "comparisons.jsonl").read_text()
    assert sorted(path.name for path in place.iterdir()) == ["comparisons.jsonl", "evaluation.json"]
    return {(1, "old\n"): "old", (2, "new\n"): "new"}[found[0]["n"], found[1]]


class Counted:
    """Counts calls of the system, and does something instead of, or after, number `at`."""

    def __init__(self, monkeypatch, act, *, at, after=False):
        self.count, self.at, self.act, self.after = 0, at, act, after
        for module, name in CALLS:
            monkeypatch.setattr(module, name, self.wrapped(getattr(module, name)))

    def wrapped(self, real):
        def call(*arguments, **named):
            self.count += 1
            now = self.count == self.at
            if now and not self.after:
                self.act()
            try:
                return real(*arguments, **named)
            finally:
                if now and self.after:
                    self.act()

        return call


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_an_interrupt_at_every_step_leaves_the_old_or_the_new_folder(can_exchange, after, tmp_path, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    if not can_exchange:
        monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    seen = set()
    for at in range(1, 200):
        place = old_folder(tmp_path / f"out{at}")
        with monkeypatch.context() as patch:
            counted = Counted(patch, interrupt, at=at, after=after)
            with contextlib.suppress(KeyboardInterrupt):
                write_folder(place, fill, EVALUATION, overwrite=True)
        seen.add(state_of(place))
        with claimed(place, EVALUATION):  # what the next command does first
            pass
        assert state_of(place) in ("old", "new")
        assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(".old")]
        if counted.count < at:
            break
    assert at > 10
    assert seen == {"old", "new"}


KILLED = """
import os, sys, json
from pathlib import Path
sys.path[:0] = [{tests!r}]
import test_write_folder as t
from rewardsmith.files import folders, write_folder
from rewardsmith.files.kinds import EVALUATION
class Patch:
    def setattr(self, module, name, value):
        setattr(module, name, value)
exit_at_once = os._exit
if not {can_exchange}:
    folders.exchange = lambda one, other: False
for at in range({first}, 200):
    child = os.fork()
    if child == 0:
        place = t.old_folder(Path({root!r}) / f"out{{at}}")
        counted = t.Counted(Patch(), lambda: exit_at_once(9), at=at, after={after})
        write_folder(place, t.fill, EVALUATION, overwrite=True)
        exit_at_once(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(at)
        break
"""


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_kill_at_every_step_leaves_the_old_or_the_new_folder(can_exchange, after, tmp_path):
    """As an interrupt, but nothing of ours runs any more; a folder set aside is put back by the next command."""
    code = KILLED.format(
        tests=str(Path(__file__).parent), root=str(tmp_path), can_exchange=can_exchange, after=after, first=1
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    places = [tmp_path / f"out{at}" for at in range(1, int(done.stdout) + 1)]
    assert len(places) > 10
    states = []
    for place in places:
        with claimed(place, EVALUATION):
            states.append(state_of(place))
    assert {*states} == {"old", "new"}
    assert states == sorted(states, key=["old", "new"].index)  # once it is new, it stays so
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(place.name for place in places)


def test_a_failure_while_it_is_filled_leaves_the_old_folder(tmp_path):
    place = old_folder(tmp_path / "out")

    def fail(folder):
        fill(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_folder(place, fail, EVALUATION, overwrite=True)
    assert state_of(place) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_comes_meanwhile_is_not_lost(tmp_path):
    from rewardsmith.errors import OutputError

    place = old_folder(tmp_path / "out")

    def slow(folder):
        fill(folder)
        (place / "mine.txt").write_text("written while the command ran")

    with pytest.raises(OutputError, match=r"mine\.txt"):
        write_folder(place, slow, EVALUATION, overwrite=True)
    assert (place / "mine.txt").is_file()


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
def test_all_files_follow_the_umask(umask, tmp_path):
    import torch
    from safetensors.torch import save_file

    before = os.umask(umask)
    try:
        write_folder(
            tmp_path / "out",
            lambda folder: (fill(folder), save_file({"a": torch.zeros(3)}, folder / "w.safetensors")),
            EVALUATION,
            overwrite=False,
        )
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert modes == {0o666 & ~umask}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~umask


def test_data_reach_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    order = []
    real = os.fsync

    def fsync(handle):
        order.append(("sync", os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    exchange = folders.exchange
    monkeypatch.setattr(
        folders, "exchange", lambda one, other: order.append(("name", other.name)) or exchange(one, other)
    )
    place = old_folder(tmp_path / "out")
    write_folder(place, fill, EVALUATION, overwrite=True)
    named = order.index(("name", "out"))
    assert {("sync", "evaluation.json"), ("sync", "comparisons.jsonl")} <= {*order[:named]}
    assert order[named + 1] == ("sync", tmp_path.name)
