"""Whether a small multilingual encoder learns a reward equally well in Chinese and in English.

    python benchmarks/languages.py [-o benchmarks/results/languages.json] [--prompts 300] [--seeds 2]

The built-in data in both languages from the same seeds, so that row r orders the same thing in both and has responses with
the same numbers of matches: six responses a prompt, labels without noise. A model of which the embeddings and the lower half
of the layers are frozen is trained on both halves together and judged on each by the gold reward; the difference is paired
by comparison, with a bootstrap of rows over all seeds.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from losses import interval, outcome, written
from odin import row_of
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "languages.json"
LANGUAGES = ("en", "zh")


def rows(language: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of one language; the gold reward decides every label."""
    made = generate(count, seed=seed, language=language, responses_per_prompt=6, noise=0.0)
    return [row_of(record) for record in made.records]


def both(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of both languages, taking turns."""
    return [row for pair in zip(*(rows(language, count, seed) for language in LANGUAGES), strict=True) for row in pair]


def main() -> None:
    """Train with each seed, judge both halves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--model", default="e5-multilingual")
    parser.add_argument("--prompts", type=int, default=300, help="of each language")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--freeze", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--lr", type=float, default=3e-4)
    given = parser.parse_args()
    tests = {language: rows(language, 150, 5_000) for language in LANGUAGES}
    seen: dict[str, list[np.ndarray]] = {language: [] for language in LANGUAGES}
    prompt = np.zeros(0)
    with TemporaryDirectory() as place:
        for seed in range(given.seeds):
            train = written(Path(place), f"train-{seed}", both(given.prompts, seed))
            validation = written(Path(place), f"validation-{seed}", both(30, 100 + seed))
            output = Path(place) / f"run-{seed}"
            rs.train(
                given.model, train, output, validation=validation, lr=given.lr, seed=seed, epochs=given.epochs, evals=2,
                batch=8, freeze_layers=given.freeze, max_length=128, report=False, threads=1,
            )  # fmt: skip
            model = rs.RewardModel.load(output / "model")
            for language, test in tests.items():
                right, prompt = outcome(model, test)
                seen[language].append(right)
                print(seed, language, right.mean(), flush=True)
    halves = {language: np.concatenate(values) for language, values in seen.items()}
    found = {
        "model": given.model, "prompts": given.prompts, "seeds": given.seeds, "epochs": given.epochs, "lr": given.lr,
        "frozen_layers": given.freeze, "n": len(prompt), "test_prompts": len(tests["en"]),
        **{language: float(values.mean()) for language, values in halves.items()},
        "by_seed": {language: [float(each.mean()) for each in values] for language, values in seen.items()},
        "zh_minus_en": float((halves["zh"] - halves["en"]).mean()),
        "interval": interval(halves["zh"] - halves["en"], np.tile(prompt, given.seeds)),
    }  # fmt: skip
    print(json.dumps(found))
    write_json(given.output, found)


if __name__ == "__main__":
    main()
