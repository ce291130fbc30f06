"""Ways to resist wrong labels on the built-in data: what each gains over plain Bradley-Terry on clean test labels.

    python benchmarks/noise_resistance.py [-o benchmarks/results/noise_resistance.json] [--methods bradley-terry,crm] \\
        [--noise 0,0.2,0.4] [--seeds 3] [--pairs 1500] [--rates 0.001,0.003]

The tiny model from scratch on `--pairs` prompts of four responses. A share of the training and validation labels is flipped;
test labels are clean. Every method has the same learning rates to choose from (by accuracy on the noisy validation labels)
and the same early stopping on them. The difference to Bradley-Terry is paired by comparison; its interval is a bootstrap of
prompts over all seeds. `label-smoothing` and `crm` are told the rate of flipped labels, the others are not. `two_models` are
two plain runs of which the better one on validation is taken: what the second network of `crm` is worth without the filter.
With 1,500 prompts and 40 % of the labels flipped, plain Bradley-Terry stays near chance, so that nothing can be compared;
`losses_ukp.py` compares on real data and a pretrained model.
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
from losses import flipped, interval, written
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import score, sequences_of
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "noise_resistance.json"
VALIDATION, TEST, RESPONSES, BUDGET = 200, 500, 4, 4096
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
TINY = {"model": "tiny", "batch": 32}


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


def split(pairs: int) -> dict[str, list[Record]]:
    """Training, validation and test records."""
    made = generate(VALIDATION + TEST + pairs, responses_per_prompt=RESPONSES).records
    return {"test": made[:TEST], "validation": made[TEST : TEST + VALIDATION], "train": made[TEST + VALIDATION :]}


def cleaned(folder: Path, train: str, method: str) -> str:
    """The training data without what `prepare --label-noise` calls wrong."""
    if method != "cleaned":
        return train
    output = folder / f"{Path(train).stem}-cleaned"
    if not output.exists():
        rs.prepare(train, output, label_noise="drop", fractions=(1.0, 0.0, 0.0))
    return str(output / "train.jsonl")


def outcome(folder: Path, records: list[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Per comparison whether the preferred response has the higher reward (equal: half), and its prompt's number."""
    model = RewardModel.load(folder)
    sequences = [sequences_of(record, model.encode(record)) for record in records]
    rewards = list(score(model.network, sequences, budget=BUDGET))
    numbers: dict[str, int] = {}
    margins = [(given[c.i] - given[c.j], numbers.setdefault(record.prompt_id, len(numbers)))
               for given, record in zip(rewards, records, strict=True) for c in record.comparisons]  # fmt: skip
    margin, prompt = np.array(margins).T
    return (np.sign(margin) + 1) / 2, prompt.astype(int)


def best_run(
    given: Any, data: dict[str, str], folder: Path, method: str, noise: float, seed: int
) -> tuple[Path, float]:
    """The run that did best on the noisy validation labels, and its learning rate."""
    runs = []
    for rate in map(float, given.rates.split(",")):
        for second in (0, 1000) if method == "two_models" else (0,):
            output = folder / f"{method}-{rate}-{second}"
            rs.train(
                dataset=cleaned(folder, data["train"], method), output=output, validation=data["validation"],
                test=data["test"], lr=rate, seed=seed + second, epochs=given.epochs, evals=2, patience=4, report=False,
                threads=1, **TINY, **settings_of(method, noise),
            )  # fmt: skip
            summary = json.loads((output / "train.json").read_text())
            peer = (summary.get("noise") or {}).get("chosen") == "peer"
            curve = output / "peer" / "metrics.jsonl" if peer else output / "metrics.jsonl"
            passes = [row for row in map(orjson.loads, curve.read_bytes().splitlines()) if "eval_accuracy" in row]
            best = min(passes, key=lambda row: row.get("eval_objective", row["eval_loss"]))
            runs.append((best["eval_accuracy"], rate, output))
    _, rate, output = max(runs)
    return output, rate


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


def main() -> None:
    """Train all, and write and print the figures after each noise rate and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--noise", default="0,0.2,0.4")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rates", default="0.001,0.003")
    given = parser.parse_args()
    methods = list(dict.fromkeys(["bradley-terry", *given.methods.split(",")]))
    parts = split(given.pairs)
    results: list[dict[str, Any]] = []
    for noise in map(float, given.noise.split(",")):
        seen: dict[str, list[Any]] = {method: [] for method in methods}
        for seed in range(given.seeds):
            with TemporaryDirectory() as place:
                folder = Path(place)
                data = {
                    name: written(folder, name, flipped(list(map(to_row, part)), noise * (name != "test"), seed))
                    for name, part in parts.items()
                }
                for method in methods:
                    started = time.process_time()
                    output, rate = best_run(given, data, folder, method, noise, seed)
                    found = outcome(output, parts["test"])
                    seen[method].append((*found, rate, time.process_time() - started))
                    print(noise, seed, method, round(float(found[0].mean()), 4), rate, flush=True)
            done = [figures(method, noise, seen) for method in methods]
            settings = {name: value for name, value in vars(given).items() if name != "output"}
            given.output.write_text(json.dumps({"settings": settings, "results": [*results, *done]}, indent=1) + "\n")
        results += done


if __name__ == "__main__":
    main()
