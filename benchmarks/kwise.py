"""Rankings trained whole against their pairs one by one, at equal tokens, on the built-in data whose gold is known.

    python benchmarks/kwise.py [-o benchmarks/results/kwise.json] [--prompts 900] [--seeds 2]

A ranking of four responses is six pairs. Whole, it is one record: a text is computed once an epoch, under Bradley-Terry over
all pairs (weight 1 a ranking) or Plackett-Luce. As six records, every text is computed three times an epoch, so one epoch of
pairs has the texts of three of rankings; `tokens` counts what was computed, which shares prompts. English prompts and labels
without noise, which the tiny model learns soonest; the same learning rate and records per step for all.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from losses import interval, outcome, written
from odin import row_of
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "kwise.json"
HELD = 100
EASY: dict[str, Any] = {"responses_per_prompt": 4, "language": "en", "noise": 0.0}
ARMS = {
    "pairs": ("bradley-terry", True),
    "all pairs of a ranking": ("bradley-terry", False),
    "plackett-luce": ("plackett-luce", False),
}


def apart(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each comparison as a record of its own."""
    return [
        {**row, "responses": [row["responses"][c["i"]], row["responses"][c["j"]]], "comparisons": [{"i": 0, "j": 1}]}
        for row in rows
        for c in row["comparisons"]
    ]


def trained(train: str, validation: str, output: Path, loss: str, seed: int, epochs: int) -> int:
    """The tokens of all steps."""
    rs.train(
        "tiny", train, output, validation=validation, loss=loss, lr=2e-3, seed=seed, epochs=epochs, evals=2, batch=8,
        report=False, threads=1,
    )  # fmt: skip
    lines = [orjson.loads(line) for line in (output / "metrics.jsonl").read_bytes().splitlines()]
    return sum(row.get("tokens", 0) for row in lines if "loss" in row)


def main() -> None:
    """Train every arm with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--prompts", type=int, default=900)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="of rankings, a multiple of 3")
    given = parser.parse_args()
    test = [row_of(record) for record in generate(400, seed=1_000, **EASY).records]
    seen: dict[str, list[tuple[np.ndarray, np.ndarray, int]]] = {}
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            rows = [row_of(record) for record in generate(given.prompts, seed=seed, **EASY).records]
            validation = written(Path(place), f"validation-{seed}", rows[:HELD])
            for name, (loss, split) in ARMS.items():
                train = written(Path(place), f"{name}-{seed}", apart(rows[HELD:]) if split else rows[HELD:])
                epochs, output = given.epochs // 3 if split else given.epochs, Path(place) / f"{name}-{seed}"
                tokens = trained(train, validation, output, loss, seed, epochs)
                seen.setdefault(name, []).append((*outcome(rs.RewardModel.load(output / "model"), test), tokens))
                print(name, seed, seen[name][-1][0].mean(), tokens, flush=True)
    base = np.concatenate([right for right, *_ in seen["pairs"]])
    results = []
    for name, runs in seen.items():
        right, prompts = (np.concatenate([run[k] for run in runs]) for k in (0, 1))
        results.append({
            "arm": name, "n": len(runs[0][0]), "prompts": len(test), "seeds": given.seeds, "accuracy": float(right.mean()),
            "by_seed": [float(run[0].mean()) for run in runs], "tokens": [run[2] for run in runs],
            "difference": float((right - base).mean()), "interval": interval(right - base, prompts),
        })  # fmt: skip
        print(json.dumps(results[-1]))
    write_json(given.output, {"prompts": given.prompts, "epochs": given.epochs, "results": results})


if __name__ == "__main__":
    main()
