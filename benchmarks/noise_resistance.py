"""Ways to resist wrong labels on the built-in data: what each gains over plain Bradley-Terry on clean test labels.

    python benchmarks/noise_resistance.py [-o benchmarks/results/noise_resistance.json] [--model tiny] \\
        [--methods bradley-terry,crm] [--noise 0.4] [--seeds 1] [--prompts 3000] [--rates 0.001,0.002]

Whole runs of `train`: `tiny` from scratch, which can memorise with all its layers, or a head on a frozen e5-multilingual
(`--model e5-multilingual`), on `--prompts` English prompts of six responses. The gold reward decides the labels; a share of
those of training and validation is flipped, each comparison by itself, and test labels are not. Every method has the same
learning rates to choose from (by accuracy on the noisy validation labels) and the same early stopping on them. The
difference to Bradley-Terry is paired by comparison, its interval by prompt, each prompt once for all seeds.
`label-smoothing`, `unbiased`
and `crm` are told the rate of flipped labels, the others are not. `two-models` are two plain runs of which the better one on
validation is taken: what the second network of `crm` is worth without the filter. `right-labels-only` is no method: it is
told which training labels are wrong.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from frozen_pairs import MODELS
from judged_records import flipped, judged, written
from paired_rows import figures
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "noise_resistance.json"
VALIDATION, TEST = 100, 200
EASY: dict[str, Any] = {"responses_per_prompt": 6, "language": "en", "noise": 0.0}
"""English alone, which the tiny model learns soonest."""
CROME = ("other-prompt", "edit", "cut", "other-response")
PLAIN, KNOWING = "bradley-terry", "right-labels-only"
LOSSES = ("symmetric", "ramp", "gce")
TOLD: Mapping[str, str] = {"label-smoothing": "smoothing", "unbiased": "flip_rate"}
METHODS = (PLAIN, "two-models", *LOSSES, *TOLD, "crm", "crm-curriculum", "cleaned", "crome", KNOWING)
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {"batch": 8, "epochs": 3, "evals": 2},
    "e5-multilingual": {**MODELS["e5-multilingual"], "freeze_layers": -1, "batch": 8, "epochs": 8, "evals": 1},
}


def settings_of(method: str, noise: float) -> dict[str, Any]:
    """What a method changes of the training."""
    told = min(max(noise, 0.05), 0.45)
    if method in TOLD:
        return {"loss": {"name": method, TOLD[method]: told}}
    if method in ("crm", "crm-curriculum"):
        return {"noise": {"name": "crm", "rate": told, "curriculum": int(method == "crm-curriculum")}}
    if method == "crome":
        return {"augment": CROME}
    return {"loss": method} if method in LOSSES else {}


def split(prompts: int) -> dict[str, list[Record]]:
    """Training, validation and test records."""
    made = generate(VALIDATION + TEST + prompts, **EASY).records
    return {"test": made[:TEST], "validation": made[TEST : TEST + VALIDATION], "train": made[TEST + VALIDATION :]}


def files(parts: Mapping[str, list[Record]], folder: Path, noise: float, seed: int) -> dict[str, str]:
    """Where the records are, noisy but for the test; `right` are the training records without their wrong labels."""
    rows = {name: flipped(part, noise * (name != "test"), seed) for name, part in parts.items()}
    rows["right"] = [
        {
            **row,
            "comparisons": [
                c for c, old in zip(row["comparisons"], record.comparisons, strict=True) if c["i"] == old.i
            ],
        }
        for row, record in zip(rows["train"], parts["train"], strict=True)
    ]
    return {name: written(folder, name, [row for row in some if row["comparisons"]]) for name, some in rows.items()}


def learned_from(folder: Path, data: Mapping[str, str], method: str, model: str) -> str:
    """The training file of a method: without what `prepare --label-noise` calls wrong, or what is known to be wrong."""
    if method != "cleaned":
        return data["right" if method == KNOWING else "train"]
    output = folder / "cleaned"
    if not output.exists():
        known = {} if model == "tiny" else {"label_model": model}
        rs.prepare(data["train"], output, label_noise="drop", fractions=(1.0, 0.0, 0.0), **known)
    return str(output / "train.jsonl")


def validated(run: Path) -> float:
    """The accuracy on the noisy validation labels of what a run saved."""
    summary = json.loads((run / "train.json").read_text())
    peer = (summary.get("noise") or {}).get("chosen") == "peer"
    lines = (run / "peer" / "metrics.jsonl" if peer else run / "metrics.jsonl").read_bytes().splitlines()
    passes = [row for row in map(orjson.loads, lines) if "eval_accuracy" in row]
    return float(min(passes, key=lambda row: row.get("eval_objective", row["eval_loss"]))["eval_accuracy"])


def best_run(
    given: argparse.Namespace, data: Mapping[str, str], folder: Path, method: str, noise: float, seed: int
) -> tuple[Path, float]:
    """The run that did best on the noisy validation labels, and its learning rate."""
    runs = []
    for rate in map(float, given.rates.split(",")):
        for second in (0, 1000) if method == "two-models" else (0,):
            output = folder / f"{method}-{rate}-{second}"
            rs.train(
                given.model, learned_from(folder, data, method, given.model), output, validation=data["validation"],
                test=data["validation"], lr=rate, seed=seed + second, patience=4, report=False, threads=1,
                **SETTINGS[given.model], **settings_of(method, noise),
            )  # fmt: skip
            runs.append((validated(output), rate, output))
    _, rate, output = max(runs)
    return output, rate


def row(method: str, noise: float, seen: Mapping[str, list[Any]]) -> dict[str, Any]:
    """One row of the results."""
    margin, plain = (np.concatenate([each[0] for each in seen[name]]) for name in (method, PLAIN))
    prompt = np.concatenate([each[1] for each in seen[method]])
    return {
        "method": method, "noise": noise, "seeds": len(seen[method]), "n": len(margin) // len(seen[method]),
        "prompts": len(np.unique(prompt)), **figures(margin, plain, prompt, minus="minus_plain"),
        "by_seed": [float((each[0] > 0).mean()) for each in seen[method]], "rates": [each[2] for each in seen[method]],
        "cpu_seconds": sum(each[3] for each in seen[method]),
    }  # fmt: skip


def main() -> None:
    """Train all, and write and print the figures after each method of each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--model", choices=SETTINGS, default="tiny")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--noise", default="0.4")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=3000)
    parser.add_argument("--rates", default="0.001,0.002")
    given = parser.parse_args()
    methods = list(dict.fromkeys([PLAIN, *given.methods.split(",")]))
    parts = split(given.prompts)
    before = json.loads(given.output.read_text())["rows"] if given.output.exists() else []
    settings = {"model": given.model, "training_prompts": given.prompts, "tried": given.rates, **SETTINGS[given.model]}
    for noise in map(float, given.noise.split(",")):
        seen: dict[str, list[Any]] = {}
        others = [each for each in before if (each["model"], each["noise"]) != (given.model, noise)]
        for seed in range(given.seeds):
            with TemporaryDirectory() as place:
                data = files(parts, Path(place), noise, seed)
                for method in methods:
                    started = time.process_time()
                    output, rate = best_run(given, data, Path(place), method, noise, seed)
                    margin, prompt = judged(output, parts["test"], frozen=given.model != "tiny")
                    seen.setdefault(method, []).append((margin, prompt, rate, time.process_time() - started))
                    print(noise, seed, method, round(float((margin > 0).mean()), 4), rate, flush=True)
                    done = [
                        {**settings, **row(name, noise, seen)} for name in seen if len(seen[name]) == len(seen[PLAIN])
                    ]
                    write_json(given.output, {"rows": [*others, *done]})
        before = [*others, *done]


if __name__ == "__main__":
    main()
