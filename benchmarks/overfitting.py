"""What overfitting looks like, and what more prompts do about it: `python benchmarks/overfitting.py`.

The tiny model is trained on 200 and on 4,000 prompts of the built-in data (four responses each), with the same number of
optimizer steps. Both are validated on the same 500 prompts in the course of training and tested on the same 1,000; no prompt
is in two sets. For each run results/overfitting.json has the training loss of the last tenth of the steps, the held-out loss
at its lowest and at the end, and the test accuracy of the checkpoint that was kept, with its interval.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import rewardsmith as rs
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json, write_jsonl
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "overfitting.json"
VALIDATION, TEST, RESPONSES = 500, 1_000, 4
RUNS = {200: 40, 4_000: 2}
"""Prompts to train on and epochs: 8,000 prompts are seen by either run."""


def main() -> None:
    """Train, and write and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = generate(VALIDATION + TEST + max(RUNS), responses_per_prompt=RESPONSES, seed=0).records
        write(folder / "validation.jsonl", records[:VALIDATION])
        write(folder / "test.jsonl", records[VALIDATION : VALIDATION + TEST])
        rest = records[VALIDATION + TEST :]
        rows = [one_run(folder, rest[:prompts], epochs) for prompts, epochs in RUNS.items()]
    write_json(RESULT, {"validation_prompts": VALIDATION, "test_prompts": TEST, "runs": rows})
    for row in rows:
        print(json.dumps(row))


def write(path: Path, records: Iterable[Record]) -> None:
    """Records as JSON lines."""
    write_jsonl(path, (to_row(record) for record in records))


def one_run(folder: Path, records: list[Record], epochs: int) -> dict[str, Any]:
    """Train for so many epochs, with 20 to 40 validation passes, and evaluate the checkpoint that was kept."""
    data, run = folder / f"train-{len(records)}.jsonl", folder / f"run-{len(records)}"
    write(data, records)
    settings = {"epochs": epochs, "evals": max(1, 20 // epochs), "batch": 8, "report": False}
    held_out = {"validation": str(folder / "validation.jsonl"), "test": str(folder / "test.jsonl")}
    trained = rs.train("tiny", str(data), run, **settings, **held_out).to_json()
    result = rs.evaluate(run, str(folder / "test.jsonl")).to_json()
    curve = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    passes = [(row["step"], row["eval_loss"]) for row in curve if "eval_loss" in row]
    losses = [row["loss"] for row in curve if "loss" in row]
    best = min(passes, key=lambda one: one[1])
    return {
        "prompts": len(records),
        "epochs": epochs,
        "steps": trained["steps"],
        "train_loss_at_the_end": mean(losses[-len(losses) // 10 :]),
        "best_step": best[0],
        "held_out_loss_at_best": best[1],
        "held_out_loss_at_the_end": passes[-1][1],
        **{name: result[name] for name in ("n", "clusters", "accuracy", "accuracy_ci", "nll", "nll_ci")},
        "passes": passes,
    }


if __name__ == "__main__":
    main()
