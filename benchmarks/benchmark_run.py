"""A benchmark of full size from end to end: how long it takes, and what a run that was killed has to score again.

    python benchmarks/benchmark_run.py [--model MODEL] [--kill-at 0.45]

The rows are built here in RewardBench's format with its number of pairs in each subset (2,985 in all), their texts from
the built-in generator, since its own are not part of this project. `evaluate --benchmark rewardbench` runs three times, each
in a process of its own: undisturbed; in another folder of kept rewards until a share of the rewards is kept, then killed
with SIGKILL; and once more in that folder. The score of the resumed run has to be that of the undisturbed one.
"""

import argparse
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rewardsmith.bench.environment import processor, versions
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.benchmarks.rewardbench import SECTIONS
from rewardsmith.files import write_json, write_jsonl

RESULT = Path(__file__).parent / "results" / "benchmark_run.json"
PAIRS = (100, 95, 95, 28, 40, 37, 100, 134, 92, 47, 46, 100, 100, 154, 250, 136, 447, 164, 164, 164, 164, 164, 164)
"""Pairs of each subset of allenai/reward-bench, split filtered, in the order of SECTIONS."""
PATIENCE = 3_000
"""Seconds after which a run that does not end is given up."""


def rows() -> list[dict[str, Any]]:
    """Rows in RewardBench's columns; the better of two responses is chosen by the generator's gold order."""
    subsets = [name for section in SECTIONS.values() for name in section]
    names = [name for name, count in zip(subsets, PAIRS, strict=True) for _ in range(count)]
    made = generate(len(names), responses_per_prompt=2, seed=31, noise=0.0).records
    found = []
    for number, (name, record) in enumerate(zip(names, made, strict=True)):
        comparison = record.comparisons[0]
        chosen, rejected = (record.responses[at].text for at in (comparison.i, comparison.j))
        prompt = record.prompt[-1].content
        found.append({"id": number, "subset": name, "prompt": prompt, "chosen": chosen, "rejected": rejected})
    return found


def command_of(model: str, data: Path) -> list[str]:
    """The command line."""
    words = [
        "-m",
        "rewardsmith",
        "evaluate",
        model,
        str(data),
        "--benchmark",
        "rewardbench",
        "--json",
        "--device",
        "cpu",
    ]
    return [sys.executable, *words]


def started(command: list[str], home: Path) -> "subprocess.Popen[bytes]":
    """The process, with a home of its own for kept rewards."""
    environment = {**os.environ, "REWARDSMITH_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def whole_run(command: list[str], home: Path) -> dict[str, Any]:
    """A run to its end: the object `benchmark` of its JSON, seconds of the clock and of the processor."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = started(command, home)
    written = process.communicate(timeout=PATIENCE)[0]
    if process.returncode:
        raise RuntimeError(f"evaluate ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"benchmark": json.loads(written)["benchmark"], "seconds": time.monotonic() - began, "cpu_seconds": cpu}


def kept_rewards(home: Path) -> int:
    """Rewards in the folder's store."""
    store = home / "rewards.sqlite"
    if not store.is_file():
        return 0
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as file:
            return int(file.execute("SELECT COUNT(*) FROM rewards").fetchone()[0])
    except sqlite3.Error:  # it is being made
        return 0


def killed_run(command: list[str], home: Path, wanted: int) -> int:
    """A run that is killed once so many rewards are kept; how many are kept afterwards."""
    process = started(command, home)
    ends = time.monotonic() + PATIENCE
    while kept_rewards(home) < wanted:
        if process.poll() is not None or time.monotonic() > ends:
            raise RuntimeError(f"the run ended before {wanted} rewards were kept")
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError("the run had ended before it was killed")
    return kept_rewards(home)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=None, help="a reward model; default: the tiny one, trained here")
    parser.add_argument(
        "--kill-at", type=float, default=0.45, help="share of the rewards that are kept when it is killed"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data, model = folder / "rewardbench.jsonl", arguments.model or trained(folder / "run")
        write_jsonl(data, rows())
        command = command_of(model, data)
        whole = whole_run(command, folder / "whole")
        rewards = kept_rewards(folder / "whole")
        killed = killed_run(command, folder / "killed", int(arguments.kill_at * rewards))
        resumed = whole_run(command, folder / "killed")
    found = {
        "processor": processor(),
        "versions": versions(),
        "model": Path(arguments.model).name if arguments.model else "tiny, trained on 300 built-in prompts",
        "pairs": sum(PAIRS),
        "rewards": rewards,
        "score": whole["benchmark"]["score"],
        "ci": whole["benchmark"]["ci"],
        "whole": {name: round(whole[name], 1) for name in ("seconds", "cpu_seconds")},
        "kept_when_killed": killed,
        "resumed": {name: round(resumed[name], 1) for name in ("seconds", "cpu_seconds")},
        "same_result": resumed["benchmark"] == whole["benchmark"],
    }
    write_json(RESULT, found)
    print(json.dumps(found, indent=1))
    return 0 if found["same_result"] else 1


def trained(folder: Path) -> str:
    """The tiny model after one epoch of built-in data."""
    from rewardsmith.commands import train

    train.run(train.Config(model="tiny", dataset=("synthetic:300",), output=folder, epochs=1, threads=1, report=False))
    return str(folder)


if __name__ == "__main__":
    sys.exit(main())
