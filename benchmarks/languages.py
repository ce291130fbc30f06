"""Whether a small multilingual encoder learns a reward equally well in Chinese and in English.

    python benchmarks/languages.py -o benchmarks/results/languages.json [--prompts 1500] [--seeds 2]

The built-in data in both languages from the same seeds, so that row r orders the same thing in both and has responses with
the same numbers of matches. A model is trained on both halves together and judged on each by the gold reward; the difference
is paired by row, with a bootstrap of rows over all seeds.
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

LANGUAGES = ("en", "zh")


def rows(language: str, count: int, seed: int, noise: float = 1.0) -> list[dict[str, Any]]:
    """Rows of one language; with noise 0 the gold decides every label."""
    return [row_of(record) for record in generate(count, seed=seed, language=language, noise=noise).records]


def both(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of both languages, taking turns."""
    return [row for pair in zip(*(rows(language, count, seed) for language in LANGUAGES), strict=True) for row in pair]


def main() -> None:
    """Train with each seed, judge both halves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--model", default="e5-multilingual")
    parser.add_argument("--prompts", type=int, default=1500, help="of each language")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-4)
    given = parser.parse_args()
    tests = {language: rows(language, 1000, 5_000, noise=0.0) for language in LANGUAGES}
    seen: dict[str, list[np.ndarray]] = {language: [] for language in LANGUAGES}
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            train = written(Path(place), f"train-{seed}", both(given.prompts, seed))
            validation = written(Path(place), f"validation-{seed}", both(given.prompts // 10, 100 + seed))
            output = Path(place) / f"run-{seed}"
            rs.train(
                given.model, train, output, validation=validation, lr=given.lr, seed=seed, epochs=given.epochs, evals=2,
                max_length=128, report=False,
            )  # fmt: skip
            model = rs.RewardModel.load(output / "model")
            for language, test in tests.items():
                right, _ = outcome(model, test)
                seen[language].append(right)
                print(seed, language, right.mean(), flush=True)
    halves = {language: np.concatenate(values) for language, values in seen.items()}
    found = {
        "model": given.model, "prompts": given.prompts, "seeds": given.seeds, "epochs": given.epochs, "lr": given.lr,
        "n": len(tests["en"]), **{language: float(values.mean()) for language, values in halves.items()},
        "by_seed": {language: [float(each.mean()) for each in values] for language, values in seen.items()},
        "zh_minus_en": float((halves["zh"] - halves["en"]).mean()),
        "interval": interval(halves["zh"] - halves["en"], np.tile(np.arange(len(tests["en"])), given.seeds)),
    }  # fmt: skip
    print(json.dumps(found))
    given.output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
