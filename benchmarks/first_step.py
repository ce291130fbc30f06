"""Seconds until the first optimizer step of `train`: tokenizing after the model is open, and while it is opened.

    python benchmarks/first_step.py --data DIR [--sets harmless ultrafeedback harmless:100000] [--rounds 3]

DIR holds hh-rlhf/harmless-base.jsonl.gz and ultrafeedback-noise/clean.jsonl.gz; NAME:N repeats a set up to N rows, each with
a number of its own in its answers, so that no text occurs twice. Each measurement is a process of its own with an empty
token cache (cold) or with the one that the measurement before left (warm; fewer than 5,000 rows leave none); both ways take
turns. One step of `--batch` records follows.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "first_step.json"
FILES = {"harmless": "hh-rlhf/harmless-base.jsonl.gz", "ultrafeedback": "ultrafeedback-noise/clean.jsonl.gz"}
WAYS = ("after", "while")
PARTS = ("data", "read", "ready", "tokens", "step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["harmless", "ultrafeedback", "harmless:100000"])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--layers", type=int, default=None)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, rows = arguments.once
        print(json.dumps(once(arguments, way, Path(rows))))
        return
    rows = []
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "rows.jsonl"
            count = write_rows(arguments.data, name, data)
            rows += measured(arguments, name, count, data, Path(folder))
        write_json(arguments.output, {"comparisons": rows, "load_average": os.getloadavg(), "cores": os.cpu_count()})


def write_rows(folder: Path, name: str, path: Path) -> int:
    """A set as JSON lines; returns how many rows."""
    source, _, wanted = name.partition(":")
    with gzip.open(folder / FILES[source], "rt") as file:
        known = [json.loads(line) for line in file]
    count = int(wanted or len(known))
    with path.open("w") as file:
        for number in range(count):
            row = dict(known[number % len(known)])
            if number >= len(known):
                row["chosen"], row["rejected"] = (numbered(row[key], number) for key in ("chosen", "rejected"))
            file.write(json.dumps(row) + "\n")
    return count


def numbered(answer: Any, number: int) -> Any:
    """An answer that no other row has."""
    if isinstance(answer, str):
        return f"{answer} ({number})"
    return [*answer[:-1], {**answer[-1], "content": f"{answer[-1]['content']} ({number})"}]


def measured(
    arguments: argparse.Namespace, name: str, count: int, data: Path, folder: Path
) -> Iterator[Mapping[str, Any]]:
    """One comparison per state of the cache."""
    from rewardsmith.scoring.token_cache import WORTH

    states = ("cold", "warm") if count >= 2 * WORTH else ("cold",)
    seen: dict[str, dict[str, list[dict[str, float]]]] = {state: {way: [] for way in WAYS} for state in states}
    for number in range(arguments.rounds):
        for way in WAYS if number % 2 == 0 else WAYS[::-1]:
            home = folder / f"home-{number}-{way}"
            home.mkdir()
            (home / "models").symlink_to(models(), target_is_directory=True)
            for state in states:
                seen[state][way].append(separately(arguments, way, data, home))
    for state, ways in seen.items():
        totals = {way: [sum(one[part] for part in PARTS) for one in ways[way]] for way in WAYS}
        ours, peer = statistics.median(totals["while"]), statistics.median(totals["after"])
        parts = {way: {p: statistics.median(one[p] for one in ways[way]) for p in PARTS} for way in WAYS}
        waits = " and ".join(f"{parts[way]['tokens']:.1f}" for way in WAYS)
        print(
            f"{name} ({count} rows), {state}: first step done after {peer:.1f} s, {ours:.1f} s with tokens made ahead; "
            f"waited for tokens {waits} s"
        )
        yield {
            "name": f"seconds to the first step, {name}, {state} cache",
            "ours": ours,
            "peer": peer,
            "ratio": peer / ours,
            "goal": None,
            "met": None,
            "n": arguments.rounds,
            "rows": count,
            "model": arguments.model,
            "layers": arguments.layers,
            "batch": arguments.batch,
            "parts": parts,
            "seconds": totals,
        }


def models() -> Path:
    from rewardsmith.files.places import models_folder

    return models_folder().resolve()


def separately(arguments: argparse.Namespace, way: str, data: Path, home: Path) -> dict[str, float]:
    """Seconds of each part, in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--once", way, str(data)]
    environment = {**os.environ, "REWARDSMITH_HOME": str(home)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return parts


def once(arguments: argparse.Namespace, way: str, rows: Path) -> dict[str, float]:
    """The parts of `train` up to its first step, through the functions that it calls."""
    at = [time.perf_counter()]
    from rewardsmith.pipelines.train import pipeline
    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.pipelines.train.setup import load_data, read_model, ready_model
    from rewardsmith.pipelines.train.tokenize_ahead import tokens_ahead
    from rewardsmith.progress import SILENT

    config = Config(
        model=arguments.model,
        dataset=(str(rows),),
        output=rows.parent / "run",
        layers=arguments.layers,
        batch=arguments.batch,
        tokens_per_microbatch=4096,
        overwrite=True,
    )
    splits = load_data(config, SILENT)
    at.append(time.perf_counter())
    opened = read_model(config)
    at.append(time.perf_counter())
    beside = tokens_ahead(opened, splits, workers=arguments.workers, team=1) if way == "while" else nullcontext()
    with beside as outcomes:
        start = ready_model(config, opened)
        at.append(time.perf_counter())
        encoding, _ = pipeline.encode_splits(config, splits, start.model, outcomes, SILENT)
    at.append(time.perf_counter())
    first_step(start.model.network, encoding.examples[: arguments.batch])
    at.append(time.perf_counter())
    return {part: end - begin for part, (begin, end) in zip(PARTS, pairwise(at), strict=True)}


def first_step(network: Any, examples: Any) -> None:
    from rewardsmith.train.engines.engine import gradient_norm
    from rewardsmith.train.losses import LOSSES
    from rewardsmith.train.optimizer import make_optimizer
    from rewardsmith.train.step import Dropout, accumulate

    network.train()
    optimizer = make_optimizer(network, lr=1e-5, weight_decay=0.0)
    accumulate(network, examples, LOSSES["bradley-terry"], dropout=Dropout(0.0, 0, 0), budget=4096)
    gradient_norm(network, 1.0).item()
    optimizer.step()


if __name__ == "__main__":
    main()
