"""Rankings trained whole against their pairs one by one, at equal tokens, on the built-in data whose gold is known.

    python benchmarks/kwise.py [-o benchmarks/results/kwise.json] [--prompts 2400] [--seeds 3]

A ranking of four responses is six pairs. Whole, it is one record: a text is computed once an epoch, under Bradley-Terry over
all pairs (weight 1 a ranking) or Plackett-Luce. As six records, every text is computed three times an epoch, so one epoch of
pairs has the texts of three of rankings; `tokens` counts what was computed, which shares prompts. English prompts and labels
without noise, which the tiny model learns soonest; the same learning rate for all, and batches of as many texts: 8 rankings
or 16 pairs.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from judged_records import judged, written
from paired_rows import figures
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "kwise.json"
HELD, TEST = 100, 300
EASY: dict[str, Any] = {"responses_per_prompt": 4, "language": "en", "noise": 0.0}
PAIRS = "pairs"
ARMS = {
    PAIRS: ("bradley-terry", True),
    "all pairs of a ranking": ("bradley-terry", False),
    "plackett-luce": ("plackett-luce", False),
}


def apart(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Each comparison as a row of its own."""
    for row in map(to_row, records):
        for c in row["comparisons"]:
            sides = [row["responses"][c["i"]], row["responses"][c["j"]]]
            yield {**row, "responses": sides, "comparisons": [{"i": 0, "j": 1}]}


def trained(train: str, validation: str, output: Path, loss: str, seed: int, epochs: int, batch: int) -> int:
    """The tokens of all steps."""
    rs.train(
        "tiny", train, output, validation=validation, test=validation, loss=loss, lr=2e-3, seed=seed, epochs=epochs,
        evals=2, batch=batch, report=False, threads=1,
    )  # fmt: skip
    lines = [orjson.loads(line) for line in (output / "metrics.jsonl").read_bytes().splitlines()]
    return sum(row.get("tokens", 0) for row in lines if "loss" in row)


def row(arm: str, runs: Sequence[tuple[np.ndarray, np.ndarray, int]], base: Sequence[Any]) -> dict[str, Any]:
    """The figures of an arm over the seeds that it has run."""
    margin, prompts = (np.concatenate([run[k] for run in runs]) for k in (0, 1))
    plain = np.concatenate([run[0] for run in base[: len(runs)]])
    return {
        "arm": arm, "n": len(runs[0][0]), "prompts": TEST, "seeds": len(runs),
        **figures(margin, plain, prompts, minus="minus_pairs"),
        "by_seed": [float((run[0] > 0).mean()) for run in runs], "tokens": [run[2] for run in runs],
    }  # fmt: skip


def main() -> None:
    """Train every arm with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--prompts", type=int, default=2400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of rankings, a multiple of 3")
    given = parser.parse_args()
    test = generate(TEST, seed=1_000, **EASY).records
    seen: dict[str, list[tuple[np.ndarray, np.ndarray, int]]] = {}
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            records = generate(given.prompts + HELD, seed=seed, **EASY).records
            validation = written(Path(place), f"validation-{seed}", records[:HELD])
            for arm, (loss, split) in ARMS.items():
                train = written(Path(place), f"{arm}-{seed}", apart(records[HELD:]) if split else records[HELD:])
                output = Path(place) / f"{arm}-{seed}"
                epochs, batch = (given.epochs // 3, 16) if split else (given.epochs, 8)
                tokens = trained(train, validation, output, loss, seed, epochs, batch)
                seen.setdefault(arm, []).append((*judged(output, test), tokens))
                print(arm, seed, (seen[arm][-1][0] > 0).mean(), tokens, flush=True)
            rows = [row(arm, runs, seen[PAIRS]) for arm, runs in seen.items()]
            write_json(given.output, {"prompts": given.prompts, "epochs": given.epochs, "rows": rows})
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
