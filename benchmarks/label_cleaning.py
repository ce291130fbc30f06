"""What cleaning labels is worth: models trained on dirty, on cleaned and on clean labels of UKP, judged on clean ones.

    REWARDSMITH_DATA=… python benchmarks/label_cleaning.py --cache FOLDER

10, 20 and 30 % of the training labels are turned round, three seeds each; the 4 test debates keep their labels. The model
is a linear head on the last token of layer 18 of a frozen SmolLM2-135M (features in FOLDER, computed where they are
missing), fitted by Bradley-Terry with a penalty that each arm chooses by cross-validation on its own labels. The cleaning
is that of `prepare --label-noise`: `find_label_noise` and `changed`, with TF-IDF and the margins of the dirty head itself,
both fitted on other prompts than those that they judge. The truth serves for counting only. Differences from dirty are
paired, over all three seeds, with t-intervals over the 8 test prompts. Writes `benchmarks/results/label_cleaning.json`.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

import rewardsmith as rs
from hh_features import EVERY, features, open_backbone
from paired_rows import figures
from rewardsmith.data.merging import merge_prompts
from rewardsmith.data.splits.splitter import hold_out
from rewardsmith.evaluate.baselines import tfidf
from rewardsmith.evaluate.folds import fold_count, folds_of_clusters
from rewardsmith.files import write_json
from rewardsmith.quality.labels.changes import Mode, changed, turned
from rewardsmith.quality.labels.noise import LabelNoise, find_label_noise
from rewardsmith.records import Comparison, Record
from rewardsmith.terminal import progress_for
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.fitting.linear import Differences, chosen_penalty, fit_linear

RESULT = Path(__file__).parent / "results" / "label_cleaning.json"
RATES = (0.1, 0.2, 0.3)
SEEDS = (0, 1, 2)
LAYER = 18 // EVERY - 1
LAST_TOKEN = 0


@dataclass(frozen=True)
class Labels:
    """Comparisons of merged prompts: `at` numbers the record of each, `states` holds (K, H) per record."""

    records: tuple[Record, ...]
    states: tuple[np.ndarray, ...]
    at: np.ndarray
    comparisons: tuple[Comparison, ...]

    def part(self, rows: np.ndarray) -> "Labels":
        """Some of the comparisons."""
        return replace(self, at=self.at[rows], comparisons=tuple(self.comparisons[row] for row in np.flatnonzero(rows)))

    def with_labels(self, comparisons: list[Comparison]) -> "Labels":
        """The same comparisons under other labels."""
        return replace(self, comparisons=tuple(comparisons))

    def differences(self) -> Differences:
        """What a linear head is fitted on."""
        rows = [self.states[r][c.i] - self.states[r][c.j] for r, c in zip(self.at, self.comparisons, strict=True)]
        preference = np.array([c.preference for c in self.comparisons])
        return Differences(np.stack(rows), preference, np.array([c.weight for c in self.comparisons]), self.at)

    def texts(self, side: str) -> list[str]:
        """The responses' words."""
        pairs = zip(self.at, self.comparisons, strict=True)
        return [self.records[r].responses[getattr(c, side)].text for r, c in pairs]


def load_ukp(folder: str, cache: Path) -> tuple[Labels, Labels]:
    """(training, test) labels, the test being the 4 debates held out everywhere here."""
    records = merge_prompts(list(rs.load(str(Path(folder) / "ukp-convarg/strict.jsonl.gz")).records))
    path = cache / "ukp.npz"
    if not path.is_file():
        model = open_backbone("smollm2-135m")
        examples = encode_examples(records, model.encoder, share=True).examples
        found = features(model, examples, list(range(EVERY, 31, EVERY)), progress_for(sys.stderr))
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, sizes=[len(values) for values in found], flat=np.concatenate(found))
    with np.load(path) as stored:
        flat = stored["flat"][:, LAYER, LAST_TOKEN].astype(np.float32)
        states = tuple(np.split(flat, np.cumsum(stored["sizes"])[:-1]))
    decided = [(number, c) for number, record in enumerate(records) for c in record.comparisons if not c.is_tie]
    at = np.array([number for number, _ in decided])
    labels = Labels(tuple(records), states, at, tuple(c for _, c in decided))
    test = hold_out({str(record.fields["topic"]) for record in records}, 4, fractions=(0.9, 0.0, 0.1)).test
    held = np.array([str(records[number].fields["topic"]) in test for number in at])
    return labels.part(~held), labels.part(held)


def fitted(train: Labels, penalty: float | None = None) -> tuple[np.ndarray, float]:
    """(weights of a head on unscaled features, its penalty), which cross-validation over the prompts of `train` chooses."""
    data = train.differences()
    spread = data.x.std(axis=0) + 1e-6
    scaled = replace(data, x=data.x / spread)
    penalty = chosen_penalty(scaled, seed=0) if penalty is None else penalty
    return fit_linear(scaled, penalty) / spread, penalty


def cross_fitted(train: Labels, penalty: float) -> np.ndarray:
    """Margins of the labelled sides by heads fitted on other prompts."""
    folds = fold_count(train.at)
    fold, margin = folds_of_clusters(train.at, seed=0, folds=folds), np.zeros(len(train.at))
    for number in range(folds):
        inside = fold == number
        margin[inside] = train.part(inside).differences().x @ fitted(train.part(~inside), penalty)[0]
    return margin


def cleaned(train: Labels, found: LabelNoise, mode: Mode) -> Labels:
    """The labels as `prepare --label-noise` leaves them."""
    if not found.model.shown:
        return train
    rows = zip(train.comparisons, found.wrong, found.suspect, strict=True)
    return train.with_labels([changed(c, mode, wrong=float(w), suspect=bool(s)) for c, w, s in rows])


def run(
    clean: Labels, test: Labels, rate: float, seed: int, clean_head: np.ndarray
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """A row and test margins for each arm."""
    flipped = np.random.default_rng(seed).random(len(clean.at)) < rate
    labels = [turned(c) if flip else c for c, flip in zip(clean.comparisons, flipped, strict=True)]
    dirty = clean.with_labels(labels)
    head, penalty = fitted(dirty)
    words = tfidf(dirty.texts("i"), dirty.texts("j"), cluster=dirty.at).margin
    signals = np.stack([words, cross_fitted(dirty, penalty)], axis=1)
    found = find_label_noise(signals, cluster=dirty.at, names=("tfidf", "dirty head"))
    heads = {"dirty": head, "clean": clean_head}
    heads |= {mode: fitted(cleaned(dirty, found, mode))[0] for mode in get_args(Mode) if mode != "report"}
    x = test.differences().x
    for name in ("dirty", "soften", "drop", "flip", "clean"):
        margin = x @ heads[name]
        told = {
            "rate": rate,
            "seed": seed,
            "arm": name,
            "training_labels": len(clean.at),
            "flipped": int(flipped.sum()),
        }
        told |= {"accuracy": float((margin > 0).mean()), "estimated_rate": found.model.rate, "shown": found.model.shown}
        told |= {"estimated_rate_ci": [found.interval.low, found.interval.high]}
        told |= {"called_wrong": int(found.suspect.sum()), "rightly": int((found.suspect & flipped).sum())}
        told |= {"auc": roc_auc(flipped, found.combined), "auc_single": [roc_auc(flipped, s) for s in signals.T]}
        print(json.dumps(told), flush=True)
        yield told, margin


def roc_auc(flipped: np.ndarray, margin: np.ndarray) -> float:
    """How well a margin of the labelled side tells turned labels."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(flipped, -margin))


def summary(rows: list[dict[str, Any]], margins: list[np.ndarray], test: Labels) -> list[dict[str, Any]]:
    """Per rate and arm: accuracy over the seeds, and how far it is above dirty, paired."""
    told = []
    for rate, arm in dict.fromkeys((row["rate"], row["arm"]) for row in rows):
        mine, base = (
            np.concatenate(
                [m for row, m in zip(rows, margins, strict=True) if (row["rate"], row["arm"]) == (rate, name)]
            )
            for name in (arm, "dirty")
        )
        cluster = np.tile(test.at, len(mine) // len(test.at))
        row = {"rate": rate, "arm": arm, "n": len(test.at), "seeds": len(mine) // len(test.at)}
        row |= figures(mine, base, cluster, minus="minus_dirty")
        print(json.dumps(row), flush=True)
        told.append(row)
    return told


def main() -> None:
    """All rates and seeds, into the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    clean, test = load_ukp(folder, arguments.cache)
    head, _ = fitted(clean)
    found = [each for rate in RATES for seed in SEEDS for each in run(clean, test, rate, seed, head)]
    rows, margins = [row for row, _ in found], [margin for _, margin in found]
    write_json(RESULT, {"summary": summary(rows, margins, test), "runs": rows})


if __name__ == "__main__":
    main()
