"""Rows of every format, mutated, through `prepare`."""

import contextlib
import io
import time

from outcome import Outcome

import mutated_rows

ROWS = 100_000


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """One line, since each format is a file of its own."""
    return [rows(round(ROWS * scale), seed)]


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
