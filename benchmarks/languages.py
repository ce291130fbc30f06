"""Whether a small multilingual encoder learns a reward equally well in Chinese and in English.

    python benchmarks/languages.py [-o benchmarks/results/languages.json] [--prompts 50] [--seeds 2] [--freeze -1]

The built-in data in both languages from the same seeds, so that row r orders the same thing in both and has responses with
the same numbers of matches: six responses a prompt, labels without noise. One model is trained on both halves together and
judged on each half by the gold reward; a tenth of the prompts goes to the test split of `train` itself and is not used here.
`--freeze -1` trains a linear head on three frozen layers, `--freeze 6` the upper half of the layers, `--freeze -1,6` both.
The difference is paired by comparison, its interval is by row, each row once for all seeds. Rates and epochs were not
searched.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from judged_records import judged, written
from paired_rows import figures
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json
from rewardsmith.model.scorer import sequences_of
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "languages.json"
LANGUAGES = ("en", "zh")
VALIDATION = 20
HEAD_ALONE: dict[str, Any] = {"read_layers": (6, 9, 12), "pooling": ("last", "mean"), "lr": 1e-3, "epochs": 4}
UPPER_LAYERS: dict[str, Any] = {"lr": 3e-4, "epochs": 1}


def made(language: str, count: int, seed: int) -> list[Record]:
    """Records of one language; the gold reward decides every label."""
    return generate(count, seed=seed, language=language, responses_per_prompt=6, noise=0.0).records


def both(count: int, seed: int) -> list[Record]:
    """Records of both languages, taking turns."""
    pairs = zip(*(made(language, count, seed) for language in LANGUAGES), strict=True)
    return [record for pair in pairs for record in pair]


def trained(given: argparse.Namespace, place: Path, seed: int, freeze: int) -> Path:
    """The run folder of one seed."""
    output = place / f"run-{seed}-{freeze}"
    rs.train(
        given.model, written(place, f"train-{seed}", both(given.prompts, seed)), output, seed=seed, batch=8, evals=2,
        validation=written(place, f"validation-{seed}", both(VALIDATION, 100 + seed)), freeze_layers=freeze,
        max_length=128, report=False, threads=1, **(HEAD_ALONE if freeze == -1 else UPPER_LAYERS),
    )  # fmt: skip
    return output


def told(freeze: int, seen: dict[str, list[np.ndarray]], rows: np.ndarray) -> dict[str, Any]:
    """The figures of both halves over all seeds, and their difference."""
    en, zh = (np.concatenate(seen[language]) for language in LANGUAGES)
    cluster = np.tile(rows, len(seen["en"]))
    found = {
        language: figures(margin, en, cluster, minus="zh_minus_en") for language, margin in (("en", en), ("zh", zh))
    }
    return {
        "frozen_layers": freeze, "n": len(rows), "test_rows": int(rows.max()) + 1, "seeds": len(seen["en"]),
        **{name: {key: found[name][key] for key in ("accuracy", "accuracy_ci")} for name in LANGUAGES},
        "by_seed": {name: [float((margin > 0).mean()) for margin in seen[name]] for name in LANGUAGES},
        **{key: found["zh"][key] for key in ("zh_minus_en", "zh_minus_en_ci")},
    }  # fmt: skip


def tokens_of(run: Path, records: list[Record]) -> dict[str, float]:
    """Mean and largest number of tokens of a text, prompt and response together."""
    model = rs.RewardModel.load(run, device="cpu")
    sizes = [len(text) for record in records for text in sequences_of(record, model.encode(record)).ids]
    return {"mean": float(np.mean(sizes)), "largest": max(sizes)}


def main() -> None:
    """Train with each seed and depth, judge both halves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--model", default="e5-multilingual")
    parser.add_argument("--prompts", type=int, default=50, help="of each language")
    parser.add_argument("--tests", type=int, default=300, help="rows to test on")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--freeze", default="-1", help="-1: a head alone")
    given = parser.parse_args()
    tests = {language: made(language, given.tests, 5_000) for language in LANGUAGES}
    if [r.comparisons for r in tests["en"]] != [r.comparisons for r in tests["zh"]]:
        raise SystemExit("the rows of the two languages do not have the same comparisons")
    found: dict[str, Any] = {"model": given.model, "prompts": given.prompts, "arms": []}
    with TemporaryDirectory() as place:
        for freeze in map(int, given.freeze.split(",")):
            seen: dict[str, list[np.ndarray]] = {language: [] for language in LANGUAGES}
            for seed in range(given.seeds):
                run = trained(given, Path(place), seed, freeze)
                for language, records in tests.items():
                    margin, rows = judged(run, records, frozen=freeze == -1)
                    seen[language].append(margin)
                    print(freeze, seed, language, (margin > 0).mean(), flush=True)
            found["tokens"] = {language: tokens_of(run, records) for language, records in tests.items()}
            found["arms"].append(told(freeze, seen, rows))
            print(json.dumps(found["arms"][-1]), flush=True)
            write_json(given.output, found)


if __name__ == "__main__":
    main()
