"""How well wrong labels are found: planted ones of the built-in data, and 200 turned UltraFeedback labels.

    [REWARDSMITH_DATA=…] python benchmarks/label_noise.py [--features FILE.npz]

ROC-AUC with 95 % intervals by bootstrap over rows, beside what the detector's accuracy on true labels allows. The truth
file is read for scoring only. Margins of the built-in data are those of its gold reward with normal noise on it (0.5, 1 or
2), as a stand-in for reward models of that quality; `true_accuracy` says how often they are right. `--features` adds a
linear head on frozen SmolLM2-135M (mean of each response's tokens at layers 6, 9 and 12; computed there if missing: half an
hour of one CPU core). TF-IDF and head are cross-fitted on the labels with errors. Writes
`benchmarks/results/label_noise.json`.
"""

import argparse
import gzip
import json
import os
from pathlib import Path

import numpy as np
import orjson

import rewardsmith as rs
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.baselines import tfidf
from rewardsmith.evaluate.folds import FOLDS, folds_of_clusters
from rewardsmith.files import write_json
from rewardsmith.quality.labels.noise import auc_allowed, find_label_noise
from rewardsmith.train.fitting.linear import Differences, chosen_penalty, fit_linear

RESULT = Path(__file__).parent / "results" / "label_noise.json"


def scored(name: str, margins: np.ndarray, prompts: np.ndarray, flipped: np.ndarray) -> dict[str, object]:
    """One row: AUC of finding the turned labels, its interval, what is allowed, and what was decided."""
    from sklearn.metrics import roc_auc_score

    found = find_label_noise(margins, cluster=prompts)
    true_accuracy = float((np.where(flipped, -found.combined, found.combined) > 0).mean())
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(flipped), len(flipped)) for _ in range(1000)]
    row: dict[str, object] = {
        "name": name,
        "labels": len(flipped),
        "planted": float(flipped.mean()),
        "rate": found.model.rate,
        "rate_ci": [found.interval.low, found.interval.high],
        "shown": found.model.shown,
        "called_wrong": int(found.suspect.sum()),
        "rightly": int((found.suspect & flipped).sum()),
        "true_accuracy": true_accuracy,
    }
    if flipped.any():
        right = np.where(flipped, -found.combined, found.combined) > 0
        values = np.array([roc_auc_score(flipped[d], -found.combined[d]) for d in draws])
        gaps = values - np.array([auc_allowed(float(right[d].mean())) for d in draws])
        row |= {
            "auc": float(roc_auc_score(flipped, -found.combined)),
            "auc_ci": [float(v) for v in np.quantile(values, [0.025, 0.975])],
            "auc_allowed": auc_allowed(true_accuracy),
            "auc_minus_allowed_ci": [float(v) for v in np.quantile(gaps, [0.025, 0.975])],
            "auc_single": [
                float(roc_auc_score(flipped, -np.nan_to_num(margins[:, k]))) for k in range(margins.shape[1])
            ],
        }
    print(json.dumps(row), flush=True)
    return row


def planted(rate: float, spread: float, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins of the gold reward with noise on it, prompts, and which labels were turned."""
    made = generate(1000, seed=seed, noise=noise, faults={"label_noise": rate})
    rng = np.random.default_rng(seed)
    rows = []
    for number, (record, gold) in enumerate(zip(made.records, made.gold, strict=True)):
        reward = np.array(gold) + rng.normal(0, spread, len(gold))
        flipped = number in set(made.planted["label_noise"])
        rows += [(reward[c.i] - reward[c.j], number, flipped) for c in record.comparisons]
    margins, prompts, turned = zip(*rows, strict=True)
    return np.array(margins)[:, None], np.array(prompts), np.array(turned)


def ultrafeedback(data: Path, features: Path | None) -> list[dict[str, object]]:
    """The signals on label_flip_20, one by one and together."""
    folder = data / "ultrafeedback-noise"
    records = list(rs.load(str(folder / "label_flip_20.jsonl.gz")).records)
    lines = gzip.decompress((folder / "label_flip_20.truth.jsonl.gz").read_bytes()).splitlines()
    truth = [orjson.loads(line)["flipped"] for line in lines]
    flipped = np.array([truth[record.line - 1] for record in records])
    pairs = [(record, record.comparisons[0]) for record in records]
    ids: dict[str, int] = {}
    prompts = np.array([ids.setdefault(record.prompt_id, len(ids)) for record in records])
    preferred, other = ([r.responses[getattr(c, side)].text for r, c in pairs] for side in ("i", "j"))
    signals = {"tfidf": tfidf(preferred, other, cluster=prompts).margin}
    if features is not None:
        from frozen_features import frozen_features

        pooled = frozen_features(records, features).astype(np.float32)
        x = np.stack([(pooled[n, c.i] - pooled[n, c.j]).ravel() for n, (_, c) in enumerate(pairs)])
        signals["head on frozen SmolLM2"] = head_margins(x, prompts)
    rows = [scored(f"ultrafeedback, {name}", margin[:, None], prompts, flipped) for name, margin in signals.items()]
    if len(signals) > 1:
        both = np.stack(list(signals.values()), axis=1)
        rows.append(scored(f"ultrafeedback, {' and '.join(signals)}", both, prompts, flipped))
    return rows


def head_margins(x: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """Cross-fitted Bradley-Terry margins of a linear head; its penalty is chosen inside the training folds."""
    fold, margin = folds_of_clusters(prompts, seed=0), np.zeros(len(x))
    for number in range(FOLDS):
        train, judged = fold != number, fold == number
        scale = x[train].std(0) + 1e-6
        ones = np.ones(train.sum())
        data = Differences(x[train] / scale, ones, ones, prompts[train])
        margin[judged] = x[judged] / scale @ fit_linear(data, chosen_penalty(data, seed=0))
    return margin


def main() -> None:
    """All rows, into the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, help="file of frozen features, computed where it is missing")
    arguments = parser.parse_args()
    rows = [
        scored(f"built-in, judges' noise {noise:g}, reward noise {spread:g}", *planted(rate, spread, noise, seed=1))
        for noise in (0.0, 1.0)
        for spread in (0.5, 1.0, 2.0)
        for rate in (0.0, 0.05, 0.1, 0.2)
    ]
    if folder := os.environ.get("REWARDSMITH_DATA"):
        rows += ultrafeedback(Path(folder), arguments.features)
    write_json(RESULT, {"rows": rows})


if __name__ == "__main__":
    main()
