"""What length calibration gives back on AlpacaEval: learned where the longer answer wins, tested where length is balanced.

    REWARDSMITH_DATA=… python benchmarks/length_alpaca.py [--model minilm-l6] [--words 250]

A head on a frozen model learns from `pairs_raw`, is calibrated by length on held-out prompts of the same data (`calibrate
--method length`), and is tested on `pairs_length_balanced` of prompts that were in neither. Four runs test on every prompt
once. The labels are GPT-4's, which likes long answers itself; the balanced pairs hide that only in the mean. Pairs with an
answer of more than `--words` words are left out, since the model reads 512 tokens.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rewardsmith as rs
from frozen_pairs import FOLDS, Pool, learn, margins, open_frozen, pools_of, rewards, right
from paired_rows import figures
from rewardsmith.evaluate.corrections.fitting import FitChoices, ScoredPairs, fit_calibration
from rewardsmith.files import write_json
from rewardsmith.pipelines.calibrate.pairs import length_in, pairs_of
from rewardsmith.progress import SILENT
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "length_alpaca.json"
RATES = (1e-3, 3e-3, 1e-2)
SMOOTHERS = ("lowess", "local-average")
BALANCED = "balanced"
NEAR = 0.2
"""Difference of length, as a share of the longer one, up to which two answers count as equally long."""
HELD = 25
"""Prompts to choose the learning rate, to stop early, and to calibrate on."""


def short(path: Path, words: int) -> list[Record]:
    """The records whose responses all have at most so many words."""
    records = rs.load(str(path), progress=SILENT).records
    return [record for record in records if max(len(each.text.split()) for each in record.responses) <= words]


def scored(pool: Pool, groups: Sequence[str], found: dict[str, np.ndarray], length_of: Any) -> ScoredPairs:
    """The responses and comparisons of some prompts with their rewards."""
    records = [record for record in pool.records if record.prompt_id in groups]
    return pairs_of(records, [found[record.prompt_id] for record in records], length_of)


def run(raw: Pool, balanced: Pool, number: int, length_of: Any) -> dict[str, list[Any]]:
    """The test pairs of both kinds with raw rewards, and their rewards after each calibration."""
    train, held, test = raw.groups(number, HELD)
    found = []
    for lr in RATES:
        learn(raw, raw.of(train), raw.of(held), lr=lr, seed=number)
        values = rewards(raw)
        accuracy = float(right(margins(raw, raw.of(held), values)).mean())
        found.append((accuracy, -lr, values, rewards(balanced)))
    _, _, on_raw, on_balanced = max(found, key=lambda each: each[:2])
    fitted = [
        fit_calibration(scored(raw, held, on_raw, length_of), FitChoices(("length",), smoother=smoother))
        for smoother in SMOOTHERS
    ]
    told = {}
    for name, pool, values in (("raw", raw, on_raw), (BALANCED, balanced, on_balanced)):
        pairs = scored(pool, test, values, length_of)
        told[name] = [pairs, *(each.rewards(pairs.reward, pairs.length) for each in fitted)]
    return told


def row(kind: str, smoother: str, runs: Sequence[dict[str, Any]], at: int) -> dict[str, Any]:
    """Accuracy before and after over all runs, and how the reward goes with length."""
    pairs = [each[kind][0] for each in runs]
    before = np.concatenate([p.margin(p.reward) for p in pairs])
    after = np.concatenate([p.margin(each[kind][at]) for p, each in zip(pairs, runs, strict=True)])
    gap = np.concatenate([p.length[p.preferred] - p.length[p.other] for p in pairs])
    prompts = np.concatenate([p.cluster + 1000 * number for number, p in enumerate(pairs)])
    longer = gap != 0
    share = np.abs(gap) / np.concatenate([np.maximum(p.length[p.preferred], p.length[p.other]) for p in pairs])
    kinds = {"longer is better": gap > 0, "longer is worse": gap < 0, "within a fifth": share < NEAR}
    return {
        "pairs": kind, "smoother": smoother, "n": len(before), "prompts": len(np.unique(prompts)),
        "before": float(right(before).mean()), **figures(after, before, prompts, minus="minus_before"),
        "labels_prefer_longer": float((gap[longer] > 0).mean()),
        "by_length": {
            name: {"n": int(where.sum()), **figures(after[where], before[where], prompts[where], minus="minus_before"),
                   "before": float(right(before[where]).mean())}
            for name, where in kinds.items()
        },
        "longer_wins": {
            name: float(((margin * gap)[longer] > 0).mean()) for name, margin in (("before", before), ("after", after))
        },
        "correlation": {
            "before": float(np.mean([np.corrcoef(p.reward, p.length)[0, 1] for p in pairs])),
            "after": float(
                np.mean([np.corrcoef(each[kind][at], p.length)[0, 1] for p, each in zip(pairs, runs, strict=True)])
            ),
        },
    }  # fmt: skip


def main() -> None:
    """Run all folds and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--model", default="minilm-l6")
    parser.add_argument("--words", type=int, default=250)
    given = parser.parse_args()
    if not (place := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds alpaca-eval/")
    folder = Path(place) / "alpaca-eval"
    records = [short(folder / f"pairs_{name}.jsonl.gz", given.words) for name in ("raw", "length_balanced")]
    model = open_frozen(given.model)
    raw, balanced = pools_of(model, *records, group=None)
    length_of = length_in("tokens", model)
    runs = [run(raw, balanced, number, length_of) for number in range(FOLDS)]
    rows = [row(kind, smoother, runs, at) for at, smoother in enumerate(SMOOTHERS, 1) for kind in ("raw", BALANCED)]
    for each in rows:
        print(json.dumps(each))
    used = {"raw": sum(map(len, raw.pairs.values())), "balanced": sum(map(len, balanced.pairs.values()))}
    write_json(given.output, {"model": given.model, "words": given.words, "pairs": used, "rows": rows})


if __name__ == "__main__":
    main()
