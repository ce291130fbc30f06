"""Tests of the suite that draw their cases from a seed, with many more cases than `make test` has."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from outcome import Outcome

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Test:
    """A test, the variable that says how many cases it draws, how many those are here, and what they try."""

    node: str
    variable: str
    cases: int
    fault: str
    expected: str


TESTS = (
    Test(
        "tests/test_damaged_runs.py::test_whatever_is_damaged_ends_in_one_line",
        "REWARDSMITH_CASES",
        500,
        "mutated JSON, JSON lines and YAML of a run, read by diagnose, card, compare, train --resume",
        "exit code 0, 1 or 2, one line, no traceback",
    ),
    Test(
        "tests/data/input/test_every_row_counts.py",
        "REWARDSMITH_MUTATED_ROWS",
        25_000,
        "mutated rows as .jsonl, .jsonl.gz, .csv and .parquet ({cases:,} each)",
        "each row kept or quarantined once, with place and reason",
    ),
    Test(
        "tests/scoring/test_control.py",
        "REWARDSMITH_TEXTS",
        2000,
        "texts that spell control tokens, {cases:,} for each tokenizer",
        "no control token that the template did not write",
    ),
    Test(
        "tests/quality/row/test_composed_rows.py",
        "REWARDSMITH_COMPOSED_ROWS",
        10_000,
        "clean Chinese, Japanese and Korean rows through --repair ({cases:,})",
        "unchanged",
    ),
)


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """A line for each test; their seeds are their own."""
    return [tried(test, max(20, round(test.cases * scale))) for test in TESTS]


def tried(test: Test, cases: int) -> Outcome:
    """Run one test; what is counted is the cases that pytest tells."""
    found = Outcome(test.fault.format(cases=cases), test.expected, measured={test.variable: cases})
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.node],
        env={**os.environ, test.variable: str(cases)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    summary = (done.stdout or done.stderr).strip().splitlines()[-1:] or [f"exit {done.returncode}"]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", summary[0])}
    failed = re.findall(r"^(?:FAILED|ERROR) (.+)$", done.stdout, flags=re.MULTILINE)
    found.add_report(max(1, sum(counts.values())), failed or ([] if done.returncode == 0 else summary))
    found.seconds = time.monotonic() - began
    return found
