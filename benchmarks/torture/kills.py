"""kill -9 at random moments of a training, three for each run; then the same command ends it."""

import functools
import random
import shutil
import time
from pathlib import Path

from outcome import Outcome
from small_run import forked, fresh, killed_after, problem_after, ready, train, whole_run

RUNS, KILLS = 20, 3


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """One line: runs that were killed three times each and ended with the bits of one that was not."""
    ready()
    root = fresh("kills")
    try:
        return [killed_runs(root, max(1, round(RUNS * scale)), seed)]
    finally:
        shutil.rmtree(root)


def killed_runs(root: Path, runs: int, seed: int) -> Outcome:
    """Runs under `root`, each killed and ended."""
    found = Outcome(f"kill -9 at a random moment, {KILLS} in each run", "same weights and log as without")
    began = time.monotonic()
    whole = whole_run(root / "whole", root / "whole.log")
    lasts = time.monotonic() - began
    reached, kills = [], 0
    for number in range(runs):
        folder, log = root / f"run-{number}", root / f"run-{number}.log"
        draw = random.Random(f"{seed}:kill:{number}")
        for _ in range(KILLS):
            kills += killed_after(forked(functools.partial(train, folder), log), draw.uniform(0, 0.6 * lasts))
            metrics = folder / "metrics.jsonl"
            reached.append(metrics.read_bytes().count(b"\n") if metrics.is_file() else 0)
        problem = problem_after(folder, whole, log)
        found.add(None if problem is None else f"run {number}: {problem}")
    found.seconds = time.monotonic() - began
    found.measured = {"kills": kills, "rows_logged_at_each_kill": reached}
    return found
