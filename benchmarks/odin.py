"""ODIN on built-in data with a planted length shortcut: does the reward follow length, and does it find the gold?

    python benchmarks/odin.py [-o benchmarks/results/odin.json] [--prompts 1500] [--seeds 2]

In four of five training and validation prompts, the response that won most often carries a sentence that says nothing. In
the test, one response of each prompt, drawn at random, carries it, and the gold reward decides: a reward of quality is right
as often whoever is longer. English prompts with six responses and labels without noise, which the tiny model learns soonest;
one epoch, the same learning rate for all. `correlation` is Pearson's between differences of reward and of length in words.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from judged_records import written
from length_calibration import padded_at_random
from paired_rows import interval
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "odin.json"
PADDED = 0.8
EASY: dict[str, Any] = {"responses_per_prompt": 6, "language": "en", "noise": 0.0}
SHORTCUT: dict[str, Any] = {**EASY, "faults": {"length_shortcut": PADDED}}
LOSSES: dict[str, Any] = {
    "bradley-terry": "bradley-terry",
    "odin": "odin",
    "odin, weight of length 4": {"name": "odin", "length_weight": 4.0},
}


def row_of(record: Record) -> dict[str, Any]:
    """A record in the package's own format."""
    return {
        "prompt": [{"role": turn.role, "content": turn.content} for turn in record.prompt],
        "responses": [
            {"messages": [{"role": m.role, "content": m.content} for m in response.messages]}
            for response in record.responses
        ],
        "comparisons": [{"i": c.i, "j": c.j, "preference": c.preference} for c in record.comparisons],
    }


def judged(model: Any, rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, float]:
    """Per comparison whether the better response has the higher reward, and its prompt; correlation with lengths."""
    margins, lengths, prompts = [], [], []
    for number, row in enumerate(rows):
        rewards = model.score([[*row["prompt"], *each["messages"]] for each in row["responses"]])
        words = [length_in_words(each["messages"][-1]["content"]) for each in row["responses"]]
        for c in row["comparisons"]:
            margins.append(rewards[c["i"]] - rewards[c["j"]])
            lengths.append(words[c["i"]] - words[c["j"]])
            prompts.append(number)
    return (np.sign(margins) + 1) / 2, np.array(prompts), float(np.corrcoef(margins, lengths)[0, 1])


def main() -> None:
    """Train each loss with each seed on the same data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--losses", default=",".join(LOSSES))
    parser.add_argument("--prompts", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    fresh = generate(300, seed=1_000, **EASY)
    test = [row_of(padded_at_random(r, g, 0)[0]) for r, g in zip(fresh.records, fresh.gold, strict=True)]
    seen: dict[str, list[tuple[np.ndarray, np.ndarray, float]]] = {}
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            files = [
                written(
                    Path(place), f"{name}-{seed}", [row_of(r) for r in generate(count, seed=drawn, **SHORTCUT).records]
                )
                for name, count, drawn in (("train", given.prompts, seed), ("validation", 100, 100 + seed))
            ]
            for name in given.losses.split(","):
                output = Path(place) / f"{name}-{seed}"
                rs.train(
                    "tiny", files[0], output, validation=files[1], loss=LOSSES[name], lr=2e-3, seed=seed, batch=8, evals=3,
                    report=False, threads=1,
                )  # fmt: skip
                seen.setdefault(name, []).append(judged(rs.RewardModel.load(output / "model"), test))
                print(name, seed, seen[name][-1][0].mean(), seen[name][-1][2], flush=True)
    plain = np.concatenate([run[0] for run in seen["bradley-terry"]])
    results = []
    for name, runs in seen.items():
        right, prompts = (np.concatenate([run[k] for run in runs]) for k in (0, 1))
        results.append({
            "loss": name, "n": len(runs[0][0]), "prompts": len(test), "seeds": given.seeds, "accuracy": float(right.mean()),
            "by_seed": [float(run[0].mean()) for run in runs], "correlation": [run[2] for run in runs],
            "difference": float((right - plain).mean()), "interval": interval(right - plain, prompts),
        })  # fmt: skip
        print(json.dumps(results[-1]))
    write_json(given.output, {"prompts": given.prompts, "shortcut": PADDED, "results": results})


if __name__ == "__main__":
    main()
