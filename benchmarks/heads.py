"""Every head on the built-in data, whose gold reward is known, with two more attributes planted in the responses.

    python benchmarks/heads.py -o heads.json [--heads scalar,gaussian] [--prompts 1500] [--seeds 3]

`fit` rates how many of the five ordered values a response gets right (0 to 5), `safe` says whether it lacks a rude
sentence, which 40 % of the responses get at random: neither follows from the other. The overall label follows the gold
reward alone. Learning rate: the best of `RATES` by validation accuracy, for every head alike. Accuracy is on the test
comparisons; the difference to the scalar head is paired by comparison, its interval by a bootstrap of prompts over all
seeds.
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
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import LOGITS_PER_MATCH, generate

RATES = (1e-3, 3e-3)
HEADS = ("scalar", "multi-objective", "helpful-cost", "gaussian", "quantile", "odin", "inform")
RUDE = " Now leave me alone, you fool."
SHARE_RUDE = 0.4
RESAMPLES = 2000


def rows_of(prompts: int, seed: int) -> list[dict[str, Any]]:
    """Records with ratings of `fit`, and ratings and comparisons of `safe`."""
    made = generate(prompts, seed=seed)
    draw = np.random.default_rng(seed)
    rows = []
    for record, gold in zip(made.records, made.gold, strict=True):
        row = to_row(record)
        rude = draw.random(len(gold)) < SHARE_RUDE
        for response, bad in zip(row["responses"], rude, strict=True):
            response["messages"][-1]["content"] += RUDE if bad else ""
        row["ratings"] = {"fit": [value / LOGITS_PER_MATCH for value in gold], "safe": [float(not bad) for bad in rude]}
        for i, j in ((0, 1), (1, 0)):
            if rude[j] and not rude[i]:
                row["comparisons"].append({"i": i, "j": j, "attribute": "safe"})
        rows.append(row)
    return rows


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def trained(data: dict[str, str], output: Path, head: str, rate: float, seed: int, epochs: int) -> None:
    rs.train(
        "tiny", data["train"], output, validation=data["validation"], test=data["test"], head=head, lr=rate, seed=seed,
        epochs=epochs, patience=3, evals=2, n_layer=2, n_embd=64, report=False, threads=1,
    )  # fmt: skip


def outcome(run: Path, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Per test comparison whether the reward is right and its prompt; per response the columns, and what they stand for."""
    model = rs.RewardModel.load(run, device="cpu")
    right, prompt, said, columns = [], [], [], []
    for number, row in enumerate(rows):
        turns = [{"role": m["role"], "content": m["content"]} for m in row["prompt"]]
        found = model.score_with_columns([[*turns, *each["messages"]] for each in row["responses"]])
        for c in row["comparisons"]:
            if c.get("attribute", "overall") == "overall":
                right.append((np.sign(found.rewards[c["i"]] - found.rewards[c["j"]]) + 1) / 2)
                prompt.append(number)
        said += list(zip(row["ratings"]["fit"], row["ratings"]["safe"], strict=True))
        columns += list(zip(*found.columns.values(), strict=True)) if found.columns else []
    return {
        "right": np.array(right),
        "prompt": np.array(prompt),
        "said": np.array(said),
        "columns": np.array(columns),
        "names": np.array(model.columns),
    }


def best_run(data: dict[str, str], folder: Path, head: str, seed: int, epochs: int) -> tuple[float, float, Path]:
    """The run with the best accuracy on validation, among the learning rates."""
    found = []
    for rate in RATES:
        run = folder / f"{head}-{rate:g}-{seed}"
        trained(data, run, head, rate, seed, epochs)
        lines = [orjson.loads(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
        found.append((max(line["eval_accuracy"] for line in lines if "eval_accuracy" in line), rate, run))
    return max(found)


def columns_told(outcomes: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Correlation of each column with the attributes, and for a cost the share of responses on the right side of 0."""
    told: dict[str, Any] = {}
    for at, name in enumerate(outcomes[0]["names"].tolist()):
        values = np.concatenate([each["columns"][:, at] for each in outcomes])
        fit, safe = np.concatenate([each["said"] for each in outcomes]).T
        told[name] = {
            "corr_fit": float(np.corrcoef(values, fit)[0, 1]),
            "corr_safe": float(np.corrcoef(values, safe)[0, 1]),
        }
        if name == "cost":
            told[name]["right_side_of_0"] = float(np.mean((values < 0) == (safe > 0)))
    return told


def interval(
    first: list[np.ndarray], second: list[np.ndarray], prompts: list[np.ndarray], seed: int = 0
) -> list[float]:
    """95 % of the mean paired difference, prompts of each seed resampled."""
    draw = np.random.default_rng(seed)
    sums = []
    for a, b, prompt in zip(first, second, prompts, strict=True):
        sums.append((np.bincount(prompt, a - b), np.bincount(prompt)))
    means = []
    for _ in range(RESAMPLES):
        top = bottom = 0.0
        for total, count in sums:
            chosen = draw.integers(0, len(total), len(total))
            top, bottom = top + total[chosen].sum(), bottom + count[chosen].sum()
        means.append(top / bottom)
    return [float(value) for value in np.percentile(means, [2.5, 97.5])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--heads", default=",".join(HEADS))
    parser.add_argument("--prompts", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    heads = ["scalar", *(name for name in arguments.heads.split(",") if name != "scalar")]
    results: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in heads}
    told: dict[str, Any] = {name: {"rates": [], "seconds": 0.0} for name in heads}
    with TemporaryDirectory() as place:
        for seed in range(arguments.seeds):
            folder = Path(place) / str(seed)
            folder.mkdir()
            rows = rows_of(arguments.prompts + 800, seed)
            cut = arguments.prompts
            parts = {"train": rows[:cut], "validation": rows[cut : cut + 300], "test": rows[cut + 300 :]}
            data = {name: written(folder, name, part) for name, part in parts.items()}
            for name in heads:
                began = time.process_time()
                _, rate, run = best_run(data, folder, name, seed, arguments.epochs)
                results[name].append(outcome(run, parts["test"]))
                told[name]["rates"].append(rate)
                told[name]["seconds"] += time.process_time() - began
                print(seed, name, rate, float(results[name][-1]["right"].mean()), flush=True)
    for name in heads:
        right = [each["right"] for each in results[name]]
        base = [each["right"] for each in results["scalar"]]
        told[name] |= {
            "accuracy": float(np.concatenate(right).mean()),
            "difference": float(np.concatenate(right).mean() - np.concatenate(base).mean()),
            "difference_ci": interval(right, base, [each["prompt"] for each in results[name]]),
            "comparisons": len(np.concatenate(right)),
            "columns": columns_told(results[name]),
        }
    arguments.output.write_text(
        json.dumps({"settings": {k: str(v) for k, v in vars(arguments).items()}, "heads": told}, indent=1)
    )
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
