"""ODIN on built-in data with a planted length shortcut: does the reward follow length, and does it find the gold?

    python benchmarks/odin.py [-o benchmarks/results/odin.json] [--prompts 2000] [--epochs 2] [--seeds 3]

In four of five training and validation prompts, the response that won most often carries a sentence that says nothing. In
the test, one response of each prompt, drawn at random, carries it, and the gold reward decides: a reward of quality is right
as often whoever is longer. English prompts with six responses and labels without noise, which the tiny model learns soonest;
the same steps and learning rate for all. Beside the losses stand what needs none: `calibrate --method length` after
Bradley-Terry, and Bradley-Terry on the comparisons whose sides are about equally long. `no shortcut` is no method: its
training data carry the sentence at random, which shows what the steps suffice for. `correlation` is Pearson's between
differences of reward and of length in words.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from length_calibration import margins, padded_at_random
from paired_rows import interval
from rewardsmith.commands import calibrate
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json, write_jsonl
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "odin.json"
PADDED = 0.8
NEAR = 0.2
"""Difference of length, as a share of the longer text, up to which two responses count as equally long."""
PLAIN, CALIBRATED, MATCHED, BOUND = "bradley-terry", "then calibrated by length", "equally long only", "no shortcut"
ARMS: dict[str, Any] = {
    PLAIN: "bradley-terry",
    MATCHED: "bradley-terry",
    BOUND: "bradley-terry",
    "odin": "odin",
    "odin, weight of length 4": {"name": "odin", "length_weight": 4.0},
    "odin, given the label": {"name": "odin", "given_label": 1},
    "odin, given the label, weight 4": {"name": "odin", "given_label": 1, "length_weight": 4.0},
}


@dataclass(frozen=True)
class Task:
    """Training and validation records with the shortcut, the same prompts without it, and test records."""

    train: list[Record]
    validation: list[Record]
    fair: list[Record]
    test: list[Record]

    @classmethod
    def of(cls, prompts: int, responses: int, seed: int) -> "Task":
        """The test is the same for every seed."""
        easy: dict[str, Any] = {"responses_per_prompt": responses, "language": "en", "noise": 0.0}
        shortcut = {**easy, "faults": {"length_shortcut": PADDED}}
        return cls(
            generate(prompts, seed=seed, **shortcut).records,
            generate(100, seed=100 + seed, **shortcut).records,
            at_random(prompts, seed, easy),
            at_random(300, 1_000, easy),
        )


def at_random(prompts: int, seed: int, easy: dict[str, Any]) -> list[Record]:
    """Records in which the sentence says nothing of quality."""
    made = generate(prompts, seed=seed, **easy)
    return [padded_at_random(r, gold, seed)[0] for r, gold in zip(made.records, made.gold, strict=True)]


def equally_long(records: Iterable[Record]) -> list[Record]:
    """The records with those comparisons alone whose sides are about equally long."""
    kept = []
    for record in records:
        size = [len(response.text) for response in record.responses]
        near = [c for c in record.comparisons if abs(size[c.i] - size[c.j]) <= NEAR * max(size[c.i], size[c.j])]
        if near:
            kept.append(replace(record, comparisons=tuple(near)))
    return kept


def trained(task: Task, name: str, place: Path, epochs: int, seed: int) -> Path:
    """The folder of a run of an arm."""
    records = {MATCHED: equally_long(task.train), BOUND: task.fair}.get(name, task.train)
    files = [place / "train.jsonl", place / "validation.jsonl"]
    for path, rows in zip(files, (records, task.validation), strict=True):
        write_jsonl(path, map(to_row, rows))
    rs.train(
        "tiny", str(files[0]), place / "run", validation=str(files[1]), loss=ARMS[name], lr=2e-3, seed=seed, batch=8,
        epochs=epochs, evals=3, report=False, threads=1,
    )  # fmt: skip
    return place / "run"


def calibrated(run: Path, validation: Path, output: Path) -> Path:
    """A copy of the model that is calibrated by length on data with the shortcut."""
    calibrate.run(calibrate.Config(model=str(run), sources=(str(validation),), method=("length",), output=output))
    return output


def run_of(task: Task, name: str, epochs: int, seed: int) -> dict[str, np.ndarray]:
    """Margins on the test of an arm, and of what is made of it afterwards."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        run = trained(task, name, place, epochs, seed)
        found = {name: margins(RewardModel.load(run, device="cpu"), task.test, None)}
        if name == PLAIN:
            other = calibrated(run, place / "validation.jsonl", place / "calibrated")
            found[CALIBRATED] = margins(RewardModel.load(other, device="cpu"), task.test, "lowess")
    return found


def differences(records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Per comparison by how many words the better response is longer, and its prompt."""
    words = [[length_in_words(response.text) for response in record.responses] for record in records]
    longer = [size[c.i] - size[c.j] for size, record in zip(words, records, strict=True) for c in record.comparisons]
    return np.array(longer), np.repeat(np.arange(len(records)), [len(record.comparisons) for record in records])


def rows_of(seen: dict[str, list[np.ndarray]], test: Sequence[Record]) -> list[dict[str, Any]]:
    """The figures of every arm over its seeds, against those of Bradley-Terry."""
    longer, prompts = differences(test)
    plain = np.stack([right(each) for each in seen[PLAIN]])
    rows = []
    for name, runs in seen.items():
        scored = np.stack([right(each) for each in runs])
        change = (scored - plain[: len(runs)]).ravel()
        rows.append({
            "arm": name, "n": len(longer), "prompts": len(test), "seeds": len(runs), "accuracy": float(scored.mean()),
            "by_seed": [float(each.mean()) for each in scored],
            "better_is_longer": float(scored[:, longer > 0].mean()),
            "better_is_shorter": float(scored[:, longer < 0].mean()),
            "correlation": [float(np.corrcoef(each, longer)[0, 1]) for each in runs],
            "difference": float(change.mean()), "interval": interval(change, np.tile(prompts, len(runs))),
        })  # fmt: skip
    return rows


def right(margin: np.ndarray) -> np.ndarray:
    """1 where the better response has the higher reward, a half where both are equal."""
    return (np.sign(margin) + 1) / 2


def main() -> None:
    """Train each arm with each seed on the same data; write the table after each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--responses", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    settings = {"prompts": given.prompts, "responses": given.responses, "epochs": given.epochs, "shortcut": PADDED}
    seen: dict[str, list[np.ndarray]] = {}
    for seed in range(given.seeds):
        task = Task.of(given.prompts, given.responses, seed)
        for name in dict.fromkeys([PLAIN, *given.arms]):
            for arm, found in run_of(task, name, given.epochs, seed).items():
                seen.setdefault(arm, []).append(found)
            rows = rows_of(seen, task.test)
            write_json(given.output, {**settings, "rows": rows})
            print(seed, name, rows[-1]["by_seed"], rows[-1]["correlation"], flush=True)
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
