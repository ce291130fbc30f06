"""Signals in real processes: the exit code, one line that says which, what is kept, and what a second one does."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

STUB = """
import hashlib, sys, time
from dataclasses import dataclass
@dataclass(frozen=True)
class Config:
    way: str = "sleep"
def run(config, progress):
    if config.way == "compute":  # a minute outside of Python, which no handler of Python can cut short
        progress.note("ready")
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**8)
    try:
        progress.note("ready")
        time.sleep(60)
    finally:
        progress.note("cleaning")
        time.sleep({"slow": 60, "quick": 0.5}.get(config.way, 0))
        progress.note("cleaned")
"""
PROGRAM = """
import sys
from rewardsmith import __main__, cli, manual
cli.COMMANDS["stub"] = manual.Command("stub", "s", "g")
sys.exit(__main__.main())
"""
TRAIN = ["train", "--model", "tiny", "--dataset", "synthetic:60", "--batch", "7", "--threads", "1", "--no-report"]


def started(folder, way="sleep", **popen):
    """The stub command in a program of its own, once it is at work."""
    (folder / "stub.py").write_text(STUB)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "stub", "--way", way],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        **popen,
    )
    assert process.stderr.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_each_signal_has_its_exit_code_and_one_line(tmp_path, number, code):
    process = started(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert errors.split("\n") == ["cleaning", "cleaned", "", f"interrupted by {number.name}", ""]


@pytest.mark.parametrize("way", ["slow", "compute"])
def test_a_second_signal_ends_at_once_whatever_the_program_does(tmp_path, way):
    process = started(tmp_path, way)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    time.sleep(0.4)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert time.monotonic() - began < 5
    assert "cleaned" not in errors


def test_two_signals_of_one_event_are_one(tmp_path):
    """`timeout` signals a program and then its group; a closed terminal is told of twice."""
    process = started(tmp_path, "quick")
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "cleaned" in errors


def test_an_ignored_signal_stays_ignored(tmp_path):
    """As under nohup."""
    process = started(tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143


def until_steps(folder, count, process):
    """Wait until so many steps are in the run's metrics."""
    ends = time.monotonic() + 120
    path = folder / "metrics.jsonl"
    while time.monotonic() < ends and process.poll() is None:
        if path.is_file() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.02)
    raise AssertionError("training did not get that far")


def kept_step(folder):
    """The step of the newest checkpoint, which has to be that of the last row of the metrics."""
    last = max(json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines())
    newest = max(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").glob("step-*"))
    assert newest == last
    return newest


def test_a_closed_terminal_ends_training_with_a_checkpoint(tmp_path):
    """Closing it sends SIGHUP, and whatever is written to it afterwards fails."""
    ours, theirs = pty.openpty()
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "rewardsmith", *TRAIN, "--epochs", "4000", "-o", str(run)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    until_steps(run, 20, process)
    os.close(ours)
    assert process.wait(timeout=60) == 129
    assert kept_step(run) >= 10


def test_sigterm_ends_training_with_a_checkpoint_and_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "rewardsmith", *TRAIN, "--epochs", "4000", "-o", str(run), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until_steps(run, 20, process)
        process.terminate()
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    said = f"interrupted by SIGTERM; finished work is kept in {run}; run the same command with --resume to continue"
    assert errors.splitlines()[-1] == said
    assert json.loads(out) == {"error": {"type": "Interrupted", "message": said}}
    assert kept_step(run) >= 10


NOISY = """
from dataclasses import dataclass
@dataclass(frozen=True)
class Config:
    lines: int = 2000
class Result:
    def to_json(self): return {"done": 1}
    def to_text(self): return "\\n".join(["done"] * 20000)
def run(config, progress):
    for number in range(config.lines):
        progress.note(f"note {number}")
    return Result()
"""


def noisy(folder, redirections, *words):
    """The exit code of the noisy command under a shell's redirections, and what went to standard output and error."""
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "stub.py").write_text(NOISY)
    (code / "program.py").write_text(PROGRAM)
    command = f'"{sys.executable}" "{code / "program.py"}" stub {" ".join(words)} {redirections}'
    script = f"set -o pipefail; {command}"
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("words", [(), ("--json",), ("--help",)], ids=["text", "json", "help"])
def test_a_reader_that_goes_away_is_no_fault(tmp_path, words):
    done = noisy(tmp_path, "2>errors | true", *words)
    assert done.returncode in (0, 1)  # 0 where all of it went into the pipe
    errors = (tmp_path / "errors").read_text()
    assert [line for line in errors.splitlines() if not line.startswith("note ")] == []


def test_notes_that_nobody_reads_do_not_end_the_work(tmp_path):
    done = noisy(tmp_path, "2>&1 >out | head -1", "--json")
    assert done.returncode == 0
    assert done.stdout == "note 0\n"
    assert json.loads((tmp_path / "out").read_text()) == {"done": 1}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_one_line(tmp_path):
    done = noisy(tmp_path, ">/dev/full", "--lines", "0")
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


def test_closed_streams_are_no_fault(tmp_path):
    """Without a stream of that number, the next file that is opened would take what is printed."""
    assert noisy(tmp_path, "2>&- >&- <&-").returncode == 0
    assert noisy(tmp_path, "2>&- >out", "--json").returncode == 0
    assert json.loads((tmp_path / "out").read_text()) == {"done": 1}
