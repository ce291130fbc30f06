"""Every loss on the built-in data, whose gold reward is known, with 0, 20 and 40 % of the training labels flipped.

    python benchmarks/losses.py -o losses.json [--losses bradley-terry,gce] [--prompts 3000] [--seeds 3]

Training and validation labels are flipped at the same rate, test labels are clean; early stopping and the learning rate (the
best of `RATES` by validation accuracy, for every loss alike) see noisy labels only. Accuracy is on the clean test
comparisons; the difference to Bradley-Terry is paired by comparison, its interval by a bootstrap of prompts over all seeds.
`unbiased` and `label-smoothing` are told the true rate, the others are not.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs

RATES = (1e-3, 3e-3)
NOISE = (0.0, 0.2, 0.4)
ON_PAIRS = (
    "bradley-terry", "label-smoothing", "hinge", "focal", "focal-ranking", "symmetric", "ramp", "unbiased", "gce",
    "uncertainty", "contrastive", "odin",
)  # fmt: skip
SPLIT = (0.4, 0.1, 0.5)
"""Train, validation, test: half is kept for the test, or its intervals would hide most differences."""
RESAMPLES = 2000


def flipped(rows: list[dict[str, Any]], rate: float, seed: int) -> list[dict[str, Any]]:
    """The rows with the sides of a share of their comparisons swapped."""
    draw = np.random.default_rng(seed)
    return [
        {
            **row,
            "comparisons": [{**c, "i": c["j"], "j": c["i"]} if draw.random() < rate else c for c in row["comparisons"]],
        }
        for row in rows
    ]


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def options_of(loss: str, noise: float) -> Any:
    """The options of the losses that are told the rate of flipped labels."""
    if loss == "unbiased":
        return {"name": loss, "flip_rate": noise}
    return {"name": loss, "smoothing": noise} if loss == "label-smoothing" else loss


def trained(data: dict[str, str], output: Path, loss: str, noise: float, rate: float, seed: int, epochs: int) -> None:
    rs.train(
        "tiny", data["train"], output, validation=data["validation"], test=data["test"], loss=options_of(loss, noise),
        lr=rate, seed=seed, epochs=epochs, patience=3, evals=2, n_layer=2, n_embd=64, report=False, threads=1,
    )  # fmt: skip


def outcome(model: Any, rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Per test comparison whether the preferred response has the higher reward, and its prompt's number."""
    right, prompt = [], []
    for number, row in enumerate(rows):
        turns = [{"role": m["role"], "content": m["content"]} for m in row["prompt"]]
        rewards = model.score([[*turns, *each["messages"]] for each in row["responses"]])
        for c in row["comparisons"]:
            margin = rewards[c["i"]] - rewards[c["j"]]
            right.append((np.sign(margin) + 1) / 2)
            prompt.append(number)
    return np.array(right), np.array(prompt)


def best_run(
    data: dict[str, str], folder: Path, loss: str, noise: float, seed: int, epochs: int
) -> tuple[float, float, Path]:
    """The run with the best accuracy on the noisy validation labels, among the learning rates."""
    runs = []
    for rate in RATES:
        output = folder / f"{loss}-{noise}-{seed}-{rate}"
        trained(data, output, loss, noise, rate, seed, epochs)
        lines = [orjson.loads(line) for line in (output / "metrics.jsonl").read_bytes().splitlines()]
        passes = [row for row in lines if "eval_accuracy" in row]
        summary = json.loads((output / "train.json").read_text())
        kept = next(row for row in passes if row["step"] == summary["best_step"])
        runs.append((kept["eval_accuracy"], rate, output))
    return max(runs)


def interval(difference: np.ndarray, prompt: np.ndarray) -> list[float]:
    """A 95 % interval of the mean, prompts drawn with replacement."""
    draw, groups = np.random.default_rng(0), np.unique(prompt)
    sums = np.array([difference[prompt == g].sum() for g in groups])
    counts = np.array([(prompt == g).sum() for g in groups])
    picks = draw.integers(0, len(groups), (RESAMPLES, len(groups)))
    return np.quantile(sums[picks].sum(axis=1) / counts[picks].sum(axis=1), [0.025, 0.975]).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--losses", default=",".join(ON_PAIRS))
    parser.add_argument("--prompts", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--noise", default=",".join(map(str, NOISE)))
    given = parser.parse_args()
    losses = list(dict.fromkeys(["bradley-terry", *given.losses.split(",")]))
    results = []
    with TemporaryDirectory() as place:
        folder = Path(place)
        rs.prepare(f"synthetic:{given.prompts}", folder / "data", fractions=SPLIT)
        clean = {
            name: [orjson.loads(line) for line in (folder / "data" / f"{name}.jsonl").read_bytes().splitlines()]
            for name in ("train", "validation", "test")
        }
        for noise in map(float, given.noise.split(",")):
            seen = {}
            for seed in range(given.seeds):
                noisy = {name: flipped(rows, 0.0 if name == "test" else noise, seed) for name, rows in clean.items()}
                data = {name: written(folder, f"{name}-{noise}-{seed}", rows) for name, rows in noisy.items()}
                for loss in losses:
                    started = time.process_time()
                    _, rate, output = best_run(data, folder, loss, noise, seed, given.epochs)
                    right, prompt = outcome(rs.RewardModel.load(output / "model"), clean["test"])
                    seen.setdefault(loss, []).append((right, prompt, rate, time.process_time() - started))
            for loss in losses:
                right = np.concatenate([each[0] for each in seen[loss]])
                plain = np.concatenate([each[0] for each in seen["bradley-terry"]])
                prompt = np.concatenate([each[1] for each in seen[loss]])
                results.append({
                    "loss": loss, "noise": noise, "n": len(right) // given.seeds, "seeds": given.seeds,
                    "accuracy": float(right.mean()), "by_seed": [float(each[0].mean()) for each in seen[loss]],
                    "difference": float((right - plain).mean()), "interval": interval(right - plain, prompt),
                    "rates": [each[2] for each in seen[loss]], "cpu_seconds": sum(each[3] for each in seen[loss]),
                })  # fmt: skip
                low, high = results[-1]["interval"]
                print(
                    f"{noise:.0%} {loss:16} {right.mean():.4f}  {results[-1]['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"
                )
                given.output.write_text(
                    json.dumps({"settings": vars(given), "results": results}, default=str, indent=1)
                )


if __name__ == "__main__":
    main()
