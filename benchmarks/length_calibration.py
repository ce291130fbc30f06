"""What length calibration gives back where length is a shortcut: the built-in data, in which the best response was padded.

    python benchmarks/length_calibration.py [-o benchmarks/results/length_calibration.json] [--prompts 2500]

In a share of the training and validation prompts a sentence that says nothing is added to the response that won most often.
The tiny model learns from that, and `calibrate --method length` is fitted on its validation data, which has the same
shortcut. The test prompts are others: in each, the sentence is added to one response at random, so that length says nothing
of quality, and a comparison is right where the response with the higher gold reward has the higher reward. Before and after
are compared by pairs, with an interval over prompts; `padded` are the comparisons of which one side has the sentence.
"""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from rewardsmith.commands import calibrate
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.data.synthetic.texts import FRAMES
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.files import write_json, write_jsonl
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.calibrate.pairs import length_in
from rewardsmith.records import Comparison, Message, Record

RESULT = Path(__file__).parent / "results" / "length_calibration.json"
VALIDATION, TEST, RESPONSES, SHARE = 400, 800, 4, 0.6
SMOOTHERS = ("lowess", "local-average")


def padded_at_random(record: Record, gold: tuple[float, ...], seed: int) -> tuple[Record, int]:
    """The record with the sentence behind one response, which one, and comparisons by gold."""
    draw = random.Random(f"{seed}:{record.id}")
    chosen = draw.randrange(len(record.responses))
    language = str(record.fields["language"])
    text = record.responses[chosen].text + (" " if language == "en" else "") + draw.choice(FRAMES[language].padding)
    longer = replace(record.responses[chosen], messages=(Message("assistant", text),))
    responses = (*record.responses[:chosen], longer, *record.responses[chosen + 1 :])
    pairs = [(i, j) for i in range(len(gold)) for j in range(len(gold)) if gold[i] > gold[j]]
    return replace(record, responses=responses, comparisons=tuple(Comparison(i, j) for i, j in pairs)), chosen


def margins(model: RewardModel, records: list[Record], smoother: str | None) -> np.ndarray:
    """Preferred minus other for every comparison, with the stored calibration where a smoother is named."""
    rewards = list(model.score_records(records))
    if smoother is not None:
        length_of = length_in("tokens", model)
        rewards = [
            model.sidecar.calibration.rewards(given, length_of(record))
            for given, record in zip(rewards, records, strict=True)
        ]
    return np.array([given[c.i] - given[c.j] for given, r in zip(rewards, records, strict=True) for c in r.comparisons])


def row(name: str, before: np.ndarray, after: np.ndarray, cluster: np.ndarray, where: np.ndarray) -> dict[str, Any]:
    """Accuracy against gold before and after on some comparisons, and the paired interval."""
    ones = np.ones(int(where.sum()))
    found = compare_margins(
        after[where], before[where], preference=ones, cluster=cluster[where], rng=np.random.default_rng(0)
    )
    return {
        "comparisons": name, "n": found.n, "before": float((before[where] > 0).mean()),
        "after": float((after[where] > 0).mean()), "difference": found.difference,
        "interval": [found.interval.low, found.interval.high],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--prompts", type=int, default=2500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    biased = generate(
        VALIDATION + given.prompts, responses_per_prompt=RESPONSES, seed=given.seed, faults={"length_shortcut": SHARE}
    )
    other = generate(TEST + VALIDATION + given.prompts, responses_per_prompt=RESPONSES, seed=given.seed + 1)
    known = {record.prompt_id for record in biased.records}
    fresh = [(r, g) for r, g in zip(other.records, other.gold, strict=True) if r.prompt_id not in known][:TEST]
    test = [padded_at_random(record, gold, given.seed) for record, gold in fresh]
    records = [record for record, _ in test]
    with TemporaryDirectory() as place:
        folder = Path(place)
        write_jsonl(folder / "validation.jsonl", map(to_row, biased.records[:VALIDATION]))
        write_jsonl(folder / "train.jsonl", map(to_row, biased.records[VALIDATION:]))
        write_jsonl(folder / "test.jsonl", map(to_row, records))
        rs.train(
            "tiny", folder / "train.jsonl", folder / "run", validation=str(folder / "validation.jsonl"),
            test=str(folder / "test.jsonl"), lr=2e-3, epochs=given.epochs, batch=8, report=False, threads=1,
            seed=given.seed,
        )  # fmt: skip
        raw = margins(RewardModel.load(folder / "run", device="cpu"), records, None)
        cluster = np.array([number for number, record in enumerate(records) for _ in record.comparisons])
        sides = np.array([(c.i == at) - (c.j == at) for record, at in test for c in record.comparisons])
        results = []
        for smoother in SMOOTHERS:
            output = folder / smoother
            report = calibrate.run(
                calibrate.Config(
                    model=str(folder / "run"), sources=(str(folder / "validation.jsonl"),), method=("length",),
                    smoother=smoother, output=output,
                )
            )  # fmt: skip
            after = margins(RewardModel.load(output, device="cpu"), records, smoother)
            kinds = {
                "all": np.ones(raw.size, dtype=bool), "padded": sides != 0, "better response padded": sides > 0,
                "worse response padded": sides < 0, "no response padded": sides == 0,
            }  # fmt: skip
            results.append(
                {
                    "smoother": smoother,
                    "smoothing": report.calibration.length.smoothing,
                    "on_validation": report.effect.to_json(),
                    "on_gold": [row(name, raw, after, cluster, where) for name, where in kinds.items()],
                }
            )
    write_json(
        given.output,
        {"prompts": given.prompts, "epochs": given.epochs, "seed": given.seed, "test_prompts": len(records),
         "share_padded": SHARE, "results": results},
    )  # fmt: skip
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
