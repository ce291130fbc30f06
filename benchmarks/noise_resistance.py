"""Ways to resist wrong labels on the built-in data, whose gold reward is known: what each gains over plain Bradley-Terry.

    python benchmarks/noise_resistance.py [-o benchmarks/results/noise_resistance.json] [--methods bradley-terry,crm] \\
        [--noise 0,0.2,0.4] [--seeds 3] [--prompts 1500]

A share of the training and validation labels is flipped, by comparison; test labels are clean. Every method has the same
tiny model, the same learning rates to choose from (by accuracy on the noisy validation labels) and the same early stopping
on them. The difference to Bradley-Terry is paired by comparison; its interval is a bootstrap of prompts over all seeds.
`label-smoothing`, `crm` and `cleaned` are told the rate of flipped labels, the others are not. `two_models` are two plain
runs of which the better one on validation is taken: what the second network of `crm` is worth without the filter.
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
from losses import flipped, interval, outcome, written
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate

RESULT = Path(__file__).parent / "results" / "noise_resistance.json"
RATES = (1e-3, 3e-3)
VALIDATION, TEST, RESPONSES = 200, 500, 4
CROME = ("other-prompt", "edit", "cut", "other-response")
METHODS = (
    "bradley-terry",
    "two_models",
    "label-smoothing",
    "symmetric",
    "gce",
    "crm",
    "crm_curriculum",
    "cleaned",
    "crome",
)


def settings_of(method: str, noise: float) -> dict[str, Any]:
    """What a method changes of the training."""
    told = max(noise, 0.05)
    if method == "label-smoothing":
        return {"loss": {"name": method, "smoothing": min(told, 0.45)}}
    if method in ("crm", "crm_curriculum"):
        return {"noise": {"name": "crm", "rate": told, "curriculum": int(method == "crm_curriculum")}}
    if method == "crome":
        return {"augment": CROME}
    return {"loss": method} if method in ("symmetric", "gce") else {}


def cleaned(folder: Path, train: str, method: str) -> str:
    """The training data without what `prepare --label-noise` calls wrong."""
    if method != "cleaned":
        return train
    output = folder / f"{Path(train).stem}-cleaned"
    if not output.exists():
        rs.prepare(train, output, label_noise="drop", fractions=(1.0, 0.0, 0.0))
    return str(output / "train.jsonl")


def trained(data: dict[str, str], folder: Path, method: str, noise: float, seed: int, epochs: int) -> Any:
    """The rewards' outcome on the clean test of the run that did best on the noisy validation labels."""
    runs = []
    source = cleaned(folder, data["train"], method)
    for rate in RATES:
        for second in (0, 1000) if method == "two_models" else (0,):
            output = folder / f"{method}-{noise}-{seed}-{rate}-{second}"
            rs.train(
                "tiny", source, output, validation=data["validation"], test=data["test"], lr=rate, seed=seed + second,
                epochs=epochs, batch=32, evals=2, patience=4, report=False, threads=1, **settings_of(method, noise),
            )  # fmt: skip
            summary = json.loads((output / "train.json").read_text())
            peer = (summary.get("noise") or {}).get("chosen") == "peer"
            curve = output / "peer" / "metrics.jsonl" if peer else output / "metrics.jsonl"
            passes = [row for row in map(orjson.loads, curve.read_bytes().splitlines()) if "eval_accuracy" in row]
            best = min(passes, key=lambda row: row.get("eval_objective", row["eval_loss"]))
            runs.append((best["eval_accuracy"], rate, output))
    _, rate, output = max(runs)
    return rs.RewardModel.load(output / "model"), rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--noise", default="0,0.2,0.4")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    methods = list(dict.fromkeys(["bradley-terry", *given.methods.split(",")]))
    rows = [
        to_row(record) for record in generate(VALIDATION + TEST + given.prompts, responses_per_prompt=RESPONSES).records
    ]
    parts = {"test": rows[:TEST], "validation": rows[TEST : TEST + VALIDATION], "train": rows[TEST + VALIDATION :]}
    results: list[dict[str, Any]] = []
    for noise in map(float, given.noise.split(",")):
        seen: dict[str, list[Any]] = {method: [] for method in methods}
        for seed in range(given.seeds):
            with TemporaryDirectory() as place:
                folder = Path(place)
                data = {
                    name: written(folder, name, flipped(part, 0.0 if name == "test" else noise, seed))
                    for name, part in parts.items()
                }
                for method in methods:
                    started = time.process_time()
                    model, rate = trained(data, folder, method, noise, seed, given.epochs)
                    seen[method].append((*outcome(model, parts["test"]), rate, time.process_time() - started))
                    print(noise, seed, method, round(float(seen[method][-1][0].mean()), 4), rate, flush=True)
            done = [figures(method, noise, seen) for method in methods]
            settings = {name: value for name, value in vars(given).items() if name != "output"}
            given.output.write_text(json.dumps({"settings": settings, "results": [*results, *done]}, indent=1) + "\n")
        results += done


def figures(method: str, noise: float, seen: dict[str, list[Any]]) -> dict[str, Any]:
    """One row of the results."""
    right, plain = (np.concatenate([each[0] for each in seen[name]]) for name in (method, "bradley-terry"))
    prompt = np.concatenate([each[1] for each in seen[method]])
    return {
        "method": method, "noise": noise, "seeds": len(seen[method]), "n": len(right) // len(seen[method]),
        "prompts": len(np.unique(prompt)), "accuracy": float(right.mean()),
        "by_seed": [float(each[0].mean()) for each in seen[method]], "difference": float((right - plain).mean()),
        "interval": interval(right - plain, prompt), "rates": [each[2] for each in seen[method]],
        "cpu_seconds": sum(each[3] for each in seen[method]),
    }  # fmt: skip


if __name__ == "__main__":
    main()
