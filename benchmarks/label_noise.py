"""How well wrong labels are found, and whether the estimated share is right: labels turned round at random, 10 to 40 %.

    REWARDSMITH_DATA=… python benchmarks/label_noise.py [--sets builtin,ultrafeedback,hh,ukp] [--seeds 3] [--simulations 100]

Detectors are those of `prepare --label-noise` by default: TF-IDF, and a linear head on frozen features of an installed model
(`rewardsmith models get minilm-l6`), both fitted out of fold on the labels with errors. Which labels were turned is used for
scoring only. For each set and rate the ROC-AUC of finding the turned labels is given for a plain TF-IDF with folds by
prompt, for the default's common margin, and as Phi(sqrt(2) Phi^-1(p)) with p the common margin's accuracy on the labels as
they came; 95 % intervals by bootstrap over prompts, of differences on the same resamples. Labels that were wrong
before count as right ones. `coverage`: how often the interval of the share holds the share that was turned, in simulations
that turn other labels under the same margins for the true side (those that the detectors learned from labels with as many
errors). `gold` rows judge by the gold reward of the built-in data with normal noise, in place of a strong model. Writes
`benchmarks/results/label_noise.json`.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import rewardsmith as rs
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.baselines import tfidf
from rewardsmith.evaluate.statistics import cluster_index, resampled_counts
from rewardsmith.files import write_json
from rewardsmith.pipelines.prepare.label_model import AUTO, FrozenTexts, frozen_texts, head_margins
from rewardsmith.pipelines.prepare.label_noise import (
    TRAIN,
    Labels,
    ModelMargins,
    clusters_of,
    judge_labels,
    labels_of,
    texts_of,
)
from rewardsmith.quality.labels.changes import turned
from rewardsmith.quality.labels.noise import auc_allowed, find_label_noise
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "label_noise.json"
RATES = (0.1, 0.2, 0.3, 0.4)
RESAMPLES = 200


def records_of(name: str, data: Path | None) -> list[Record]:
    """The records of a set, labels as they came."""
    if name == "builtin":
        return list(generate(1000, seed=1).records)
    assert data is not None
    path = {
        "ultrafeedback": "ultrafeedback-noise/clean.jsonl.gz",
        "hh": "hh-rlhf/harmless-base.jsonl.gz",
        "ukp": "ukp-convarg/strict.jsonl.gz",
    }[name]
    records = list(rs.load(str(data / path)).records)
    return records[::3] if name == "ukp" else records


def with_turned(records: Sequence[Record], share: float, seed: int) -> tuple[list[Record], set[tuple[int, int]]]:
    """The records with a share of their decided labels turned round, and which: (record, comparison)."""
    places = [(label.record_number, label.number) for label in labels_of(records, TRAIN)]
    drawn = np.random.default_rng(seed).permutation(len(places))[: round(share * len(places))]
    chosen = {places[at] for at in drawn}
    found = []
    for number, record in enumerate(records):
        comparisons = tuple(turned(one) if (number, at) in chosen else one for at, one in enumerate(record.comparisons))
        found.append(replace(record, comparisons=comparisons))
    return found, chosen


def read(records: Sequence[Record]) -> FrozenTexts:
    """The texts' features by the model that is taken by default; turning labels does not change them."""
    return frozen_texts(AUTO, {TRAIN: list(labels_of(records, TRAIN))})


def judged(records: Sequence[Record], texts: FrozenTexts, share: float, seed: int) -> dict[str, Any]:
    """The default's judgement of records with turned labels, beside a plain TF-IDF."""
    noisy, chosen = with_turned(records, share, seed)

    def judge(labels: Labels, unit: np.ndarray) -> ModelMargins:
        return ModelMargins(texts.name, head_margins(labels, texts.rows, unit) if texts.name else {}, texts.why)

    found = judge_labels({TRAIN: noisy}, {}, judge)
    labels = found.splits[TRAIN].labels
    words, prompts = texts_of(labels), clusters_of(labels)
    plain = tfidf(words.preferred, words.other, cluster=prompts).margin
    flipped = np.array([(label.record_number, label.number) in chosen for label in labels])
    return {"noise": found.noise, "plain": plain, "prompts": prompts, "flipped": flipped, "why": found.why}


def auc(score: np.ndarray, flipped: np.ndarray, weight: np.ndarray) -> float:
    """Weighted ROC-AUC of a score for turned labels; ties one half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(flipped, score, sample_weight=weight))


def accuracy(margin: np.ndarray, flipped: np.ndarray, weight: np.ndarray) -> float:
    """Weighted share of labels, as they came, that a margin agrees with; 0 counts one half."""
    right = (np.sign(np.where(flipped, -margin, margin)) + 1) / 2
    return float(weight @ right / weight.sum())


def figures(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the runs (the same records, other labels turned), and intervals over prompts."""
    index, prompts = cluster_index(runs[0]["prompts"])
    counts = np.concatenate(
        [np.ones((1, prompts)), *resampled_counts(prompts, RESAMPLES, rng=np.random.default_rng(0))]
    )
    values = []
    for row in counts:
        weight = row[index]
        part = []
        for run in runs:
            ours = run["noise"].combined
            p = accuracy(ours, run["flipped"], weight)
            found, plain = auc(-ours, run["flipped"], weight), auc(-run["plain"], run["flipped"], weight)
            part.append((plain, found, p, auc_allowed(p), found - plain, found - auc_allowed(p)))
        values.append(np.mean(part, axis=0))
    names = ("auc_tfidf", "auc", "accuracy", "auc_allowed", "auc_minus_tfidf", "auc_minus_allowed")
    table = np.array(values)
    result: dict[str, Any] = {}
    for at, name in enumerate(names):
        result[name] = float(table[0, at])
        result[f"{name}_ci"] = [float(v) for v in np.quantile(table[1:, at], [0.025, 0.975])]
    return result


def set_row(
    name: str, records: Sequence[Record], texts: FrozenTexts, share: float, *, seeds: int, simulations: int
) -> dict[str, Any]:
    """One row of the table."""
    runs = [judged(records, texts, share, seed) for seed in range(seeds)]
    noises = [run["noise"] for run in runs]
    return {
        "set": name,
        "labels": len(runs[0]["flipped"]),
        "turned": share,
        "runs": seeds,
        "detectors": list(noises[0].model.names),
        "why": runs[0]["why"],
        **figures(runs),
        "share_ci": [[noise.interval.low, noise.interval.high] for noise in noises],
        "shown": [noise.model.shown for noise in noises],
        "mean_wrong": [float(noise.wrong.mean()) for noise in noises],
        "called_wrong": [int(noise.suspect.sum()) for noise in noises],
        "rightly": [int((noise.suspect & run["flipped"]).sum()) for noise, run in zip(noises, runs, strict=True)],
        "coverage": coverage(runs, share, simulations),
    }


def coverage(runs: Sequence[dict[str, Any]], share: float, simulations: int) -> dict[str, Any]:
    """How often the share's interval holds what was turned, for labels drawn anew under the margins of each run."""
    rng, held, widths = np.random.default_rng(0), 0, []
    for number in range(simulations):
        run = runs[number % len(runs)]
        true_side = np.where(run["flipped"], -run["noise"].combined, run["noise"].combined)
        flipped = rng.random(len(true_side)) < share
        margins = np.where(flipped, -true_side, true_side)
        interval = find_label_noise(margins[:, None], cluster=run["prompts"]).interval
        held += float(flipped.mean()) in interval
        widths.append(interval.high - interval.low)
    return {"simulations": simulations, "held": held, "width": float(np.mean(widths))}


def gold_row(share: float, spread: float, noise: float) -> dict[str, Any]:
    """Labels judged by the gold reward with noise on it."""
    made = generate(1000, seed=1, noise=noise, faults={"label_noise": share})
    rng, turned_rows = np.random.default_rng(1), set(made.planted.get("label_noise", ()))
    rows = []
    for number, (record, gold) in enumerate(zip(made.records, made.gold, strict=True)):
        reward = np.array(gold) + rng.normal(0, spread, len(gold))
        rows += [(reward[c.i] - reward[c.j], number, number in turned_rows) for c in record.comparisons]
    margins, prompts, flipped = (np.array(column) for column in zip(*rows, strict=True))
    found = find_label_noise(margins[:, None], cluster=prompts)
    p = accuracy(margins, flipped, np.ones(len(margins)))
    return {
        "judges_noise": noise,
        "reward_noise": spread,
        "turned": share,
        "accuracy": p,
        "auc": auc(-margins, flipped, np.ones(len(margins))) if flipped.any() else None,
        "auc_allowed": auc_allowed(p),
        "rate": found.model.rate,
        "rate_ci": [found.interval.low, found.interval.high],
        "shown": found.model.shown,
        "called_wrong": int(found.suspect.sum()),
        "rightly": int((found.suspect & flipped).sum()),
    }


def main() -> None:
    """All rows, into the result file; what is there of other sets stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="builtin,ultrafeedback,hh,ukp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--simulations", type=int, default=100, help="per set and rate")
    arguments = parser.parse_args()
    folder = os.environ.get("REWARDSMITH_DATA")
    names = [name for name in arguments.sets.split(",") if name == "builtin" or folder]
    result = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    result = {"sets": [row for row in result.get("sets", []) if row["set"] not in names]}
    result["gold"] = [
        gold_row(share, spread, noise) for noise in (0.0, 1.0) for spread in (0.5, 1.0, 2.0) for share in (0.0, *RATES)
    ]
    for name in names:
        records = records_of(name, Path(folder) if folder else None)
        texts = read(records)
        for share in RATES:
            row = set_row(name, records, texts, share, seeds=arguments.seeds, simulations=arguments.simulations)
            result["sets"].append(row)
            print(json.dumps(row), flush=True)
            write_json(RESULT, result)


if __name__ == "__main__":
    main()
