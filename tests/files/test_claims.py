"""Two processes that want the same output, and what dead ones left of it."""

import json
import os
import subprocess
import sys

import pytest

from rewardsmith.errors import OutputError
from rewardsmith.files import claimed
from rewardsmith.files.kinds import RUN

HOLD = """
import sys, time
from pathlib import Path
from rewardsmith.files import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path/out."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_process_is_refused_until_the_first_is_dead(holder, tmp_path):
    with pytest.raises(OutputError, match=f"process {holder.pid} on"), claimed(tmp_path / "out"):
        pass
    with claimed(tmp_path / "other"):
        pass
    holder.kill()  # as kill -9: nothing is cleaned up
    holder.wait()
    with claimed(tmp_path / "out"):
        assert (tmp_path / ".out.lock").is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_the_folder_that_it_leads_to(holder, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(OutputError, match="is being written"), claimed(tmp_path / "link"):
        pass


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_where_no_lock_can_be_made_the_folder_itself_is_locked(tmp_path):
    (tmp_path / "out").mkdir()
    tmp_path.chmod(0o500)
    try:
        with claimed(tmp_path / "out"), pytest.raises(OutputError), claimed(tmp_path / "out"):
            pass
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("words", [
    ("train", "--model", "tiny", "--dataset", "synthetic:20", "--output"),
    ("train", "--model", "tiny", "--dataset", "synthetic:20", "--resume", "--output"),
    ("prepare", "synthetic:20", "--output"),
    ("score", "tiny", "synthetic:20", "--output"),
    ("import", "tiny", "--output"),
    ("evaluate", "tiny", "synthetic:20", "--output"),
    ("demo", "--data-only", "--output"),
], ids=lambda words: " ".join(words[:1] + words[5:-1]))  # fmt: skip
def test_every_command_that_writes_for_long_is_refused(words, holder, tmp_path):
    from rewardsmith import cli

    assert cli.main([*words, str(tmp_path / "out")]) == 1


def test_what_dead_processes_left_is_cleared_and_what_living_ones_write_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    out = tmp_path / "out"
    (out / "data").mkdir(parents=True)
    (out / "settings.json").write_text(json.dumps({"rewardsmith": "1", "contract": "c", "tokens_per_microbatch": 1}))
    gone = [
        tmp_path / f".out.{dead.pid}.tmp",
        out / f".train.json.{dead.pid}.tmp",
        out / "data" / f".data.json.{dead.pid}.tmp",
        out / f".train.json.{os.getpid()}.tmp",
        tmp_path / f".out.{dead.pid}.old",
    ]
    kept = [
        tmp_path / f".other.{dead.pid}.tmp",
        tmp_path / f".out.{os.getppid()}.tmp",
        tmp_path / ".out.tmp",
        tmp_path / f"out.{dead.pid}.tmp",
        tmp_path / ".out.notes.old",
    ]
    for path in (*gone[:-1], *kept):
        path.write_text("half")
    gone[-1].mkdir()
    (gone[-1] / "settings.json").write_bytes((out / "settings.json").read_bytes())
    with claimed(out, RUN):
        assert [path for path in gone if path.exists()] == []
        assert [path for path in kept if not path.exists()] == []


def test_a_folder_set_aside_that_is_not_ours_is_left_alone(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    aside = tmp_path / f".out.{dead.pid}.old"
    aside.mkdir()
    (aside / "mine").touch()
    (tmp_path / "out").mkdir()
    with claimed(tmp_path / "out", RUN):
        assert (aside / "mine").exists()
