"""ODIN on built-in data with a planted length shortcut: does the reward follow length, and does it find the gold?

    python benchmarks/odin.py -o benchmarks/results/odin.json [--prompts 1500] [--seeds 3]

In training and validation, four of five preferred responses carry a sentence that says nothing. In the test, one response of
each pair, drawn by a coin, carries it, and the gold reward decides: a reward of quality is right as often whoever is longer.
The learning rate is the same for both; `correlation` is Pearson's between differences of reward and of length within pairs.
"""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from losses import interval, written
from rewardsmith.data.synthetic.generate import Synthetic, generate
from rewardsmith.data.synthetic.texts import FRAMES
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import Message, Record, Response

PADDED = 0.8
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


def padded_by_coin(data: Synthetic, seed: int) -> list[dict[str, Any]]:
    """Rows whose labels are the gold's, with a sentence behind one of the two responses, whichever it is."""
    rows = []
    for number, (record, gold) in enumerate(zip(data.records, data.gold, strict=True)):
        if gold[0] == gold[1]:
            continue
        draw = random.Random(f"{seed}:{number}")
        chosen, language = draw.randrange(2), str(record.fields["language"])
        text = record.responses[chosen].text + (" " if language == "en" else "") + draw.choice(FRAMES[language].padding)
        responses = list(record.responses)
        responses[chosen] = Response((Message("assistant", text),))
        better = int(gold[1] > gold[0])
        comparison = replace(record.comparisons[0], i=better, j=1 - better)
        rows.append(row_of(replace(record, responses=tuple(responses), comparisons=(comparison,))))
    return rows


def judged(model: Any, rows: list[dict[str, Any]]) -> tuple[np.ndarray, float]:
    """Per comparison whether the better response has the higher reward; correlation of margins with lengths."""
    margins, lengths = [], []
    for row in rows:
        rewards = model.score([[*row["prompt"], *each["messages"]] for each in row["responses"]])
        words = [length_in_words(each["messages"][-1]["content"]) for each in row["responses"]]
        (comparison,) = row["comparisons"]
        margins.append(rewards[comparison["i"]] - rewards[comparison["j"]])
        lengths.append(words[comparison["i"]] - words[comparison["j"]])
    return (np.sign(margins) + 1) / 2, float(np.corrcoef(margins, lengths)[0, 1])


def main() -> None:
    """Train each loss with each seed on the same data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    test = padded_by_coin(generate(1500, seed=1_000), 0)
    seen: dict[str, list[tuple[np.ndarray, float]]] = {}
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            learned = generate(given.prompts, seed=seed, faults={"length_shortcut": PADDED}).records
            held_out = generate(given.prompts // 5, seed=100 + seed, faults={"length_shortcut": PADDED}).records
            files = [
                written(Path(place), f"{name}-{seed}", [row_of(r) for r in part if r.comparisons])
                for name, part in (("train", learned), ("validation", held_out))
            ]
            for name, loss in LOSSES.items():
                output = Path(place) / f"{name}-{seed}"
                rs.train(
                    "tiny", files[0], output, validation=files[1], loss=loss, lr=3e-3, seed=seed, epochs=given.epochs,
                    n_layer=2, n_embd=64, report=False, threads=1,
                )  # fmt: skip
                seen.setdefault(name, []).append(judged(rs.RewardModel.load(output / "model"), test))
    plain = np.concatenate([right for right, _ in seen["bradley-terry"]])
    prompts = np.tile(np.arange(len(test)), given.seeds)
    results = []
    for name, runs in seen.items():
        right = np.concatenate([each for each, _ in runs])
        results.append({
            "loss": name, "n": len(test), "seeds": given.seeds, "accuracy": float(right.mean()),
            "by_seed": [float(each.mean()) for each, _ in runs], "correlation": [each for _, each in runs],
            "difference": float((right - plain).mean()), "interval": interval(right - plain, prompts),
        })  # fmt: skip
        print(json.dumps(results[-1]))
    given.output.write_bytes(
        orjson.dumps({"settings": {**vars(given), "output": ""}, "results": results}, option=orjson.OPT_INDENT_2)
    )


if __name__ == "__main__":
    main()
