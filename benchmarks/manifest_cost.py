"""What manifests cost: saving 500 MB beside plain safetensors (both on the disk at the end), and loading a finished model.

python benchmarks/manifest_cost.py [--megabytes 500] [--saves 15] [--loads 9] [--folder DIR]

The ways take turns, so that a busy disk or processor is busy for both; the figures are medians, and the median of the
ratios of neighbours.
"""

import argparse
import datetime
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from rewardsmith.bench.environment import processor, versions
from rewardsmith.files import sha256, sync, write_json, xxh3
from rewardsmith.model.checkpoint.intact import check_model
from rewardsmith.model.inferred import new_contract
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.tiny import TinyConfig
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.runtime.processes import ALONE
from rewardsmith.train import resume

RESULT = Path(__file__).parent / "results" / "manifest_cost.json"
SAVE_GOAL, LOAD_GOAL = 1.25, 1.10
WIDTH = 768


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(ways: Mapping[str, Callable[[], Any]], rounds: int, after: Callable[[], None]) -> dict[str, list[float]]:
    """Seconds of every way in every round; the order of the ways alternates, and the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways) if number % 2 else list(reversed(ways)):
            spent = seconds(ways[name])
            if number:
                times[name].append(spent)
            after()
    return times


def compared(name: str, times: Mapping[str, list[float]], ours: str, peer: str, goal: float) -> dict[str, Any]:
    """One row of the result."""
    ratio = statistics.median(a / b for a, b in zip(times[ours], times[peer], strict=True))
    return {
        "name": name,
        "ours": statistics.median(times[ours]),
        "peer": statistics.median(times[peer]),
        "ratio": ratio,
        "goal": goal,
        "met": ratio <= goal,
        "n": len(times[ours]),
        "seconds": dict(times),
    }


def saving(folder: Path, megabytes: int, rounds: int) -> dict[str, Any]:
    """A checkpoint's weights beside the same tensors in one safetensors file; each forced to the disk."""
    rows = megabytes * 1_000_000 // (40 * 4 * 1024)
    tensors = {f"layers.{k}.weight": torch.randn(rows, 1024) for k in range(40)}
    place = folder / "saved"
    assert folder in place.parents

    def empty() -> None:
        shutil.rmtree(place)
        place.mkdir()

    def plain() -> None:
        save_file(tensors, place / "plain.safetensors")
        sync(place / "plain.safetensors")
        sync(place)

    def ours() -> None:
        resume.save_folder(place / "step-00000001", {resume.WEIGHTS: tensors}, {"step": 1}, ALONE)

    place.mkdir()
    times = in_turns({"plain safetensors": plain, "checkpoint": ours}, rounds, empty)
    row = compared("saving a checkpoint against plain safetensors, seconds, both with fsync", times,
                   "checkpoint", "plain safetensors", SAVE_GOAL)  # fmt: skip
    plain()
    file = place / "plain.safetensors"
    hashing = in_turns({"sha256": lambda: sha256(file), "xxh3_128": lambda: xxh3(file)}, 5, lambda: None)
    size = file.stat().st_size
    return {**row, "bytes": size, "hash_gb_per_second": {
        name: size / statistics.median(values) / 1e9 for name, values in hashing.items()
    }}  # fmt: skip


def loading(folder: Path, megabytes: int, rounds: int) -> dict[str, Any]:
    """A finished model with its manifest beside the very same files without one."""
    per_layer = 10 * WIDTH * WIDTH  # attention 4, a gated feed-forward part of twice the width 6
    layers = max(1, round(megabytes * 1_000_000 / 4 / per_layer))
    backbone = open_backbone("tiny", tiny=TinyConfig(layers, 12, WIDTH, 1024))
    model = RewardModel.build(
        backbone, new_contract(backbone, max_length=1024, date=datetime.date(2026, 1, 1)), device="cpu"
    )
    with_manifest, without = folder / "with", folder / "without"
    model.save(with_manifest)
    shutil.copytree(with_manifest, without, copy_function=os.link)  # the same files, in memory for both or for none
    (without / "manifest.json").unlink()
    del model, backbone
    ways = {
        "without": lambda: RewardModel.load(without, device="cpu"),
        "with": lambda: RewardModel.load(with_manifest, device="cpu"),
    }
    times = in_turns(ways, rounds, lambda: None)
    row = compared("loading a model with its manifest against without, seconds", times, "with", "without", LOAD_GOAL)
    checks = [seconds(lambda: check_model(with_manifest)) for _ in range(rounds)]
    size = (with_manifest / "model.safetensors").stat().st_size
    return {**row, "bytes": size, "check_alone_seconds": statistics.median(checks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--saves", type=int, default=15)
    parser.add_argument("--loads", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="a disk to write to (default: that of temporary files)")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = [
            saving(Path(folder), arguments.megabytes, arguments.saves),
            loading(Path(folder), arguments.megabytes, arguments.loads),
        ]
    for row in rows:
        print(f"{row['name']}: {row['ours']:.3f} against {row['peer']:.3f}, ratio {row['ratio']:.3f} (n = {row['n']})")
    machine = {"processor": processor(), "threads": torch.get_num_threads(), "load_average": os.getloadavg()}
    write_json(arguments.output, {"comparisons": rows, "machine": machine, "versions": versions()})


if __name__ == "__main__":
    main()
