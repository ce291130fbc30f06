"""Time per epoch with `--freeze-layers N`: outputs of the frozen layers kept, against computed again in every step.

Both ways in turn in one process, on the same records and from the same weights; the curves have to agree. Epoch 1 of the
kept way holds what it costs to compute and write the outputs. Seconds are CPU time of one thread, so that other work on the
machine does not count; waiting for the disk does not either.

    python benchmarks/frozen_layers.py --data DATA [-o benchmarks/results/frozen_layers.json]
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import orjson

from rewardsmith.model.runtime.devices import dtype_name
from rewardsmith.model.runtime.processes import ALONE
from rewardsmith.pipelines.train import frozen_cache
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.setup import load_data, open_model
from rewardsmith.progress import SILENT
from rewardsmith.train.examples import Encoding, encode_examples
from rewardsmith.train.loop import Fit, FitSettings

EPOCHS, BATCH, BUDGET = 3, 8, 2048
WORKLOADS = {"6 layers, 3 frozen": (6, 3, 200), "30 layers, 20 frozen": (30, 20, 128)}
"""Layers, frozen layers, records."""


def run(config: Config, rows: int, folder: Path, *, kept: bool) -> dict:
    """One run of three epochs without validation: seconds per epoch, losses, what was kept."""
    os.environ["REWARDSMITH_FEATURES_GB"] = "20" if kept else "0"
    records = load_data(config, SILENT).train[:rows]
    start = open_model(config)
    encoding = encode_examples(records, start.model.encoder, share=start.model.network.packed)
    settings = FitSettings(
        epochs=EPOCHS, batch=BATCH, lr=5e-5, weight_decay=0.01, warmup=0.05, clip=1.0, dropout=0.0,
        loss="bradley-terry", seed=0, tokens_per_microbatch=BUDGET, eval_every=10**9, patience=0, keep=1,
    )  # fmt: skip
    begun = time.process_time()
    with frozen_cache.cached_outputs(start, encoding, Encoding([], []), settings, SILENT, ALONE):
        filled = time.process_time() - begun if kept else 0.0
        if (start.model.network.cache is not None) != kept:
            raise SystemExit("the outputs of the frozen layers were not kept")
        fit = Fit(start.model.network, settings, train=encoding.examples, validation=[], folder=folder, fingerprint={})
        seconds = timed(fit)
        fit.run()
        steps = [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    seconds[0] += filled
    return {
        "seconds": seconds,
        "filling": filled,
        "losses": [step["loss"] for step in steps],
        "tokens": sum(example.tree.tokens for example in encoding.examples),
        "records": len(encoding.examples),
        "bytes": sum(file.stat().st_size for file in frozen_cache.features_folder().rglob("part-*")) if kept else 0,
        "dtype": dtype_name(start.model.network.autocast),
        "passes": EPOCHS,
    }


def timed(fit: Fit) -> list[float]:
    """Where the CPU seconds of every epoch's steps will be found once the run has ended."""
    seconds, one_step = [0.0] * EPOCHS, fit._one_step

    def step(epoch: int, *arguments) -> None:  # noqa: ANN002
        begun = time.process_time()
        one_step(epoch, *arguments)
        seconds[epoch] += time.process_time() - begun

    fit._one_step = step
    return seconds


def measure(name: str, data: Path, rounds: int) -> dict:
    """Both ways of one workload in turn; medians over the rounds."""
    layers, frozen, rows = WORKLOADS[name]
    found: dict[bool, list[dict]] = {True: [], False: []}
    for number in range(rounds):
        for kept in (True, False) if number % 2 else (False, True):
            with tempfile.TemporaryDirectory() as place:
                config = Config(
                    model="smollm2-135m", dataset=(str(data / "hh-rlhf" / "harmless-base.jsonl.gz"),),
                    output=Path(place), layers=layers, freeze_layers=frozen, threads=1, max_length=512,
                )  # fmt: skip
                frozen_cache.features_folder = lambda: Path(place) / "features"
                found[kept].append(run(config, rows, Path(place), kept=kept))
                shutil.rmtree(Path(place) / "features", ignore_errors=True)
    again, kept = (
        [statistics.median(one["seconds"][k] for one in found[way]) for k in range(EPOCHS)] for way in (False, True)
    )
    first = found[True][0]
    apart = max(abs(a - b) for a, b in zip(first["losses"], found[False][0]["losses"], strict=True))
    return {
        "name": name, "rounds": rounds, "records": first["records"], "tokens": first["tokens"], "dtype": first["dtype"],
        "megabytes": first["bytes"] / 1e6, "again": again, "kept": kept,
        "filling": statistics.median(one["filling"] for one in found[True]),
        "ratios": [a / k for a, k in zip(again, kept, strict=True)], "all_epochs": sum(again) / sum(kept),
        "largest_loss_difference": apart,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("REWARDSMITH_DATA", "data")))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(WORKLOADS))
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/frozen_layers.json"))
    given = parser.parse_args()
    results = json.loads(given.o.read_text()) if given.o.is_file() else {}
    for name in given.only:
        results[name] = found = measure(name, given.data, given.rounds)
        seconds = "; ".join(f"epoch {k + 1}: {a:.1f} s again, {b:.1f} s kept" for k, (a, b) in
                            enumerate(zip(found["again"], found["kept"], strict=True)))  # fmt: skip
        print(f"{name} ({found['records']} records, {found['tokens']} tokens, {found['megabytes']:.0f} MB): {seconds}; "
              f"all epochs {found['all_epochs']:.2f} times as fast", flush=True)  # fmt: skip
        given.o.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
