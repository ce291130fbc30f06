"""Rows of every format, mutated, through `prepare`; and mutated files of a finished run, read by the commands."""

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from outcome import Outcome

import mutated_rows

ROWS, CASES = 100_000, 500
ROOT = Path(__file__).parents[2]


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """A line for rows, and one for the files of runs."""
    return [rows(round(ROWS * scale), seed), files(max(20, round(CASES * scale)))]


def rows(count: int, seed: int) -> Outcome:
    """What `benchmarks/mutated_rows.py` counts: crashes, and rows that do not come out once."""
    found = Outcome("mutated rows of 30 formats through prepare", "kept, quarantined or removed: each row once")
    began = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):
        counted = mutated_rows.measure(rows=count, seed=seed)
    wrong = [f"{counted['lost']} rows lost"] if counted["lost"] else []
    wrong += [f"{counted['crashes']} files ended in a crash"] if counted["crashes"] else []
    wrong += counted["refused_files"]
    found.tried = counted["rows"]
    found.wrong = wrong
    found.right = found.tried - counted["lost"] if not counted["crashes"] else 0
    found.seconds = time.monotonic() - began
    found.measured = {name: counted[name] for name in ("kept", "quarantined", "removed", "crashes", "lost")}
    return found


def files(cases: int) -> Outcome:
    """The cases of tests/test_damaged_runs.py, more of them."""
    found = Outcome("mutated JSON, JSON lines and YAML of a run, read by diagnose, card, compare, train --resume",
                    "exit code 0, 1 or 2, one line, no traceback")  # fmt: skip
    began = time.monotonic()
    test = "tests/test_damaged_runs.py::test_whatever_is_damaged_ends_in_one_line"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        env={**os.environ, "REWARDSMITH_CASES": str(cases)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()[-300:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", summary)}
    failed = re.findall(r"^(?:FAILED|ERROR) (.+)$", done.stdout, flags=re.MULTILINE)
    found.add_report(sum(counts.values()), failed or ([] if done.returncode == 0 else [summary]))
    found.seconds = time.monotonic() - began
    return found
