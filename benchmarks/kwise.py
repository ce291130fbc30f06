"""Rankings trained whole against their pairs one by one, at equal tokens, on the built-in data whose gold is known.

    python benchmarks/kwise.py -o benchmarks/results/kwise.json [--prompts 500] [--seeds 3]

A ranking of four responses is six pairs. Whole, it is one record: a text is computed once an epoch, under Bradley-Terry over
all pairs (weight 1 a ranking) or Plackett-Luce. As six records, every text is computed three times an epoch, so one epoch of
pairs has the tokens of three of rankings. Each arm has the better of two learning rates by accuracy on validation.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from losses import RATES, interval, outcome, written
from odin import row_of
from rewardsmith.data.synthetic.generate import generate

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


def trained(
    train: str, validation: str, output: Path, loss: str, lr: float, seed: int, epochs: int
) -> tuple[float, int]:
    """Validation accuracy of the weights that were kept, and the tokens of all steps."""
    rs.train(
        "tiny", train, output, validation=validation, loss=loss, lr=lr, seed=seed, epochs=epochs, evals=2, n_layer=2,
        n_embd=64, report=False, threads=1,
    )  # fmt: skip
    lines = [orjson.loads(line) for line in (output / "metrics.jsonl").read_bytes().splitlines()]
    best = json.loads((output / "train.json").read_text())["best_step"]
    accuracy = next(row["eval_accuracy"] for row in lines if row["step"] == best and "eval_accuracy" in row)
    return accuracy, sum(row.get("tokens", 0) for row in lines if "loss" in row)


def main() -> None:
    """Train every arm with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6, help="of rankings, a multiple of 3")
    given = parser.parse_args()
    test = [row_of(record) for record in generate(800, responses_per_prompt=4, seed=1_000, noise=0.0).records]
    seen: dict[str, list[tuple[np.ndarray, np.ndarray, int]]] = {}
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            made = generate(given.prompts, responses_per_prompt=4, seed=seed).records
            rows = [row_of(record) for record in made]
            cut = len(rows) // 6
            validation = written(Path(place), f"validation-{seed}", rows[:cut])
            for name, (loss, split) in ARMS.items():
                train = written(Path(place), f"{name}-{seed}", apart(rows[cut:]) if split else rows[cut:])
                epochs = given.epochs // 3 if split else given.epochs
                runs = []
                for lr in RATES:
                    output = Path(place) / f"{name}-{seed}-{lr}"
                    runs.append((*trained(train, validation, output, loss, lr, seed, epochs), output))
                _, tokens, output = max(runs)
                seen.setdefault(name, []).append((*outcome(rs.RewardModel.load(output / "model"), test), tokens))
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
    given.output.write_bytes(
        orjson.dumps({"settings": {**vars(given), "output": ""}, "results": results}, option=orjson.OPT_INDENT_2)
    )


if __name__ == "__main__":
    main()
