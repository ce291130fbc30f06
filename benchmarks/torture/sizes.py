"""Large inputs: 200,000 rows to score, killed in between; 500 responses to one prompt; conversations of 10,000 turns."""

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outcome import Outcome
from small_run import fresh

ROWS, RESPONSES, TURNS = 200_000, 500, 10_000
MODEL = ("--model", "tiny", "--n-embd", "16", "--n-layer", "1", "--max-length", "256", "--threads", "1")
GROWS = 1.25
"""By how much peak memory may grow from a quarter of the rows to all of them."""
STEEP = 6.0
"""How much longer four times the size may take; 16 times would be quadratic. Start-up is taken off first."""


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """A line for each."""
    root = fresh("sizes")
    try:
        model = root / "model-run"
        checked(root, "train", *MODEL, "--dataset", "synthetic:60", "--no-report", "--output", str(model))
        return [
            many_rows(root, model, max(4096, round(ROWS * scale))),
            many_responses(root, model, max(20, round(RESPONSES * min(1.0, scale**0.5)))),
            many_turns(root, model, max(400, round(TURNS * scale))),
        ]
    finally:
        shutil.rmtree(root)


def many_rows(root: Path, model: Path, count: int) -> Outcome:
    """Score so many rows; then once more, killed three times on the way."""
    found = Outcome(f"score on {count:,} rows; kill -9 three times on the way", "flat memory; the same bytes")
    began = time.monotonic()
    quarter, all_rows = root / "quarter.jsonl", root / "rows.jsonl"
    write(quarter, pairs(count // 4))
    write(all_rows, pairs(count))
    small = checked(root, "score", str(model), str(quarter), "-o", str(root / "quarter.out"))
    whole = checked(root, "score", str(model), str(all_rows), "-o", str(root / "whole.out"))
    grown = whole["peak_mb"] / small["peak_mb"]
    found.add(None if grown < GROWS else f"peak memory grew {grown:.2f}-fold with four times the rows")
    command = ("score", str(model), str(all_rows), "-o", str(root / "killed.out"))
    kept = []
    for number in range(1, 4):
        wanted = number * (count // 1024) // 4
        process = started(root, *command)
        while process.poll() is None and len(parts(root)) < wanted:
            time.sleep(0.01)
        process.kill()
        process.wait()
        kept.append(len(parts(root)))
    checked(root, *command)
    same = (root / "killed.out").read_bytes() == (root / "whole.out").read_bytes()
    found.add(None if same else "the rows of a run that was killed differ")
    found.add(None if not parts(root) else "parts are left")
    found.seconds = time.monotonic() - began
    found.measured = {
        "rows": count, "seconds": whole["seconds"], "rows_per_second": round(count / whole["seconds"]),
        "peak_mb": whole["peak_mb"], "peak_mb_of_a_quarter": small["peak_mb"], "parts_kept_at_each_kill": kept,
    }  # fmt: skip
    return found


def many_responses(root: Path, model: Path, count: int) -> Outcome:
    """One prompt with so many rated responses: every pair of them is a comparison."""
    found = Outcome(f"{count} responses to one prompt", "train, score and evaluate end; time grows as comparisons do")
    began = time.monotonic()
    seconds: dict[str, list[float]] = {"score": [], "evaluate": []}
    for size in (count // 2, count):
        source = root / f"responses-{size}.jsonl"
        write(source, ({"prompt": f"q{p}", "responses": [f"a{p} no {k}" for k in range(size)],
                        "scores": [k * 7 % size for k in range(size)]} for p in range(2)))  # fmt: skip
        output = root / f"responses-{size}"
        seconds["score"].append(checked(root, "score", str(model), str(source), "-o", f"{output}.out")["seconds"])
        seconds["evaluate"].append(checked(root, "evaluate", str(model), str(source), "-o", f"{output}.ev")["seconds"])
        rows = [json.loads(line) for line in Path(f"{output}.out").read_bytes().splitlines()]
        found.add(None if [len(row["rewards"]) for row in rows] == [size, size] else f"{size}: rewards are missing")
    source = str(root / f"responses-{count}.jsonl")
    trained = checked(
        root, "train", *MODEL, "--dataset", source, "--validation", source, "--test", source, "--max-steps", "1",
        "--output", str(root / "responses-run"),
    )  # fmt: skip
    # Twice the responses are four times the comparisons.
    grown = seconds["evaluate"][1] / seconds["evaluate"][0]
    found.add(None if grown < STEEP else f"evaluate took {grown:.1f} times as long for twice the responses")
    found.seconds = time.monotonic() - began
    found.measured = {"comparisons": count * (count - 1), **seconds, "train": trained}
    return found


def many_turns(root: Path, model: Path, count: int) -> Outcome:
    """Conversations of so many turns through every command, and of a quarter of them."""
    found = Outcome(
        f"conversations of {count:,} turns", "prepare, inspect, train, score end; time grows as the text does"
    )
    began = time.monotonic()
    measured: dict[str, list[float]] = {}
    for size in (count // 4, count):
        source = root / f"turns-{size}.jsonl"
        write(source, map(conversation, range(6), itertools.repeat(size)))
        data = str(source)
        for name, words in {
            "prepare": (data, "--fractions", "1", "0", "0"),
            "inspect": (data, "--model", str(model)),
            "score": (str(model), data),
            "train": (*MODEL, "--dataset", data, "--validation", data, "--test", data, "--max-steps", "1"),
        }.items():
            output = () if name == "inspect" else ("--output", str(root / f"turns-{size}-{name}"))
            measured.setdefault(name, []).append(checked(root, name, *words, *output)["seconds"])
    start = checked(root, "version")["seconds"]
    for name, (quarter, whole) in measured.items():
        grown = max(0.1, whole - start) / max(1.0, quarter - start)
        found.add(None if grown < STEEP else f"{name} took {grown:.1f} times as long for four times the turns")
    found.seconds = time.monotonic() - began
    found.measured = {"turns": [count // 4, count], "start_up": start, **measured}
    return found


def pairs(count: int) -> Iterator[dict[str, Any]]:
    """Preference pairs of some words."""
    for k in range(count):
        yield {"prompt": f"{k} and {k % 7}?", "chosen": f"It is {k + k % 7}. 好", "rejected": "No."}


def conversation(number: int, turns: int) -> dict[str, Any]:
    """A pair of conversations that differ in the last turn."""
    said = [{"role": ("user", "assistant")[k % 2], "content": f"turn {k} of {number} 你好"} for k in range(turns - 1)]
    return {name: [*said, {"role": "assistant", "content": f"{name} {number}"}] for name in ("chosen", "rejected")}


def write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """JSON lines."""
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def parts(root: Path) -> list[Path]:
    """The finished parts of the scored file that is killed."""
    return list((root / "killed.out.parts").glob("*.jsonl"))


def started(root: Path, *words: str) -> "subprocess.Popen[bytes]":
    """A command as a process of its own."""
    with (root / "log").open("wb") as log:
        command = [sys.executable, "-m", "rewardsmith", *words]
        return subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))


def checked(root: Path, *words: str) -> dict[str, float]:
    """Run a command that has to end well; its seconds and peak memory (MB)."""
    began = time.monotonic()
    process = started(root, *words)
    _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code:
        raise RuntimeError(f"{' '.join(words)[:200]}: exit {code}: {(root / 'log').read_text()[-2000:]}")
    return {"seconds": round(time.monotonic() - began, 1), "peak_mb": peak_mb(usage)}


def peak_mb(usage: resource.struct_rusage) -> float:
    """Peak memory of a process that has ended."""
    return round(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6)
