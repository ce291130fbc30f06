"""Real training runs on real preference data: what the tables in docs/results.md come from.

    REWARDSMITH_DATA=… python benchmarks/quality.py ukp-smollm2 hh-smollm2 …   (no names: all of them)

Each run goes through `rewardsmith.train` like anybody's. Its figures are written to `benchmarks/results/quality/NAME.json`
with accuracy, interval, n, the null baselines on the same comparisons, ECE before and after temperature, minutes and
settings; the table of all results so far is printed at the end.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import rewardsmith as rs
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.files import write_json
from rewardsmith.terminal import progress_for

RESULTS = Path(__file__).parent / "results" / "quality"
UKP = {"dataset": ["ukp-convarg/strict.jsonl.gz"], "split_by": "topic", "test_groups": 4, "max_length": 512}
HH = {
    "dataset": ["hh-rlhf/harmless-base.jsonl.gz", "hh-rlhf/helpful.jsonl.gz"],
    "fractions": (0.7, 0.1, 0.2),
    "max_length": 512,
    "batch": 16,
}
MERGED = {"merge_prompts": True, "batch": 1, "evals": 1}
FITTED = {"freeze_layers": -1, "head_start": "probe"}
"""A frozen backbone with its best head: features are computed once and shared by all such runs."""
RUNS: dict[str, dict[str, Any]] = {
    "ukp-smollm2": {**UKP, **MERGED, "model": "smollm2-135m", "freeze_layers": 12, "epochs": 5, "lr": 5e-5},
    "ukp-smollm2-probe": {
        **UKP,
        **MERGED,
        "model": "smollm2-135m",
        "freeze_layers": 12,
        "head_start": "probe",
        "epochs": 3,
        "lr": 2e-5,
    },
    "ukp-smollm2-18-layers-probe": {
        **UKP,
        **MERGED,
        "model": "smollm2-135m",
        "layers": 18,
        "freeze_layers": 12,
        "head_start": "probe",
        "epochs": 3,
        "lr": 1e-5,
    },
    "ukp-smollm2-frozen-12-to-27": {
        **UKP,
        "merge_prompts": True,
        "model": "smollm2-135m",
        **FITTED,
        "read_layers": (12, 15, 18, 21, 24, 27),
        "pooling": ("last", "mean"),
    },
    "ukp-smollm2-frozen-asked": {
        **UKP,
        "merge_prompts": True,
        "model": "smollm2-135m",
        **FITTED,
        "read_layers": (12, 15, 18, 21, 24, 27),
        "pooling": ("last", "mean"),
        "question": "How convincing is this argument?",
    },
    "ukp-smollm2-12-to-18": {
        **UKP,
        **MERGED,
        "model": "smollm2-135m",
        "freeze_layers": 12,
        "head_start": "probe",
        "read_layers": (12, 15, 18),
        "pooling": ("last", "mean"),
        "epochs": 3,
        "lr": 1e-5,
    },
    "ukp-smollm2-pairs": {**UKP, "model": "smollm2-135m", "layers": 12, "batch": 16, "epochs": 1, "lr": 5e-5},
    "ukp-minilm": {**UKP, **MERGED, "model": "minilm-l6", "epochs": 6, "lr": 5e-5},
    "hh-smollm2-6-layers": {**HH, "model": "smollm2-135m", "layers": 6, "epochs": 1, "lr": 3e-5, "evals": 2},
    "hh-smollm2-6-layers-lr-1e-4": {**HH, "model": "smollm2-135m", "layers": 6, "epochs": 1, "lr": 1e-4, "evals": 2},
    "hh-smollm2-18-layers-probe": {
        **HH,
        "model": "smollm2-135m",
        "layers": 18,
        "freeze_layers": 12,
        "head_start": "probe",
        "epochs": 1,
        "lr": 1e-5,
        "evals": 2,
    },
}
BASES = {"ukp-": "ukp-smollm2-frozen-12-to-27"}
"""What other runs of a data set are compared with."""
NOT_SETTINGS = ("dataset", "fractions", "model")


def prepared(name: str, data: Path, folder: Path) -> list[str]:
    """Training sources, cleaned and split by prompt where `fractions` says how."""
    sources = [str(data / source) for source in RUNS[name]["dataset"]]
    if "fractions" not in RUNS[name]:
        return sources
    rs.prepare(sources, folder / "data", fractions=RUNS[name]["fractions"])
    return [str(folder / "data")]


def run(name: str, data: Path) -> dict[str, Any]:
    """Train and evaluate one named run; returns its row of the table."""
    settings = {key: value for key, value in RUNS[name].items() if key not in NOT_SETTINGS}
    started = time.time()
    with tempfile.TemporaryDirectory() as folder:
        sources = prepared(name, data, Path(folder))
        output = Path(folder) / "run"
        result = rs.train(RUNS[name]["model"], sources, output, progress=progress_for(sys.stderr), **settings)
        trained = result.to_json()
        evaluation = json.loads((output / "evaluation.json").read_text())
        compared = [json.loads(line) for line in (output / "comparisons.jsonl").read_text().splitlines()]
        # The report quotes the data, which is not ours to copy; curve and verdict hold numbers only.
        kept = RESULTS / "runs" / name
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        shutil.copyfile(output / "metrics.jsonl", kept / "metrics.jsonl")
        verdict = [line for line in result.verdict_text.splitlines() if not line.startswith("→")]
        (kept / "verdict.txt").write_text("\n".join(verdict) + "\n", encoding="utf-8")
    names = (
        "n", "clusters", "label_ties", "accuracy", "accuracy_ci", "auc", "auc_ci", "nll", "nll_ci", "brier", "ece",
        "ece_calibrated", "ece_noise_floor", "temperature", "kendall_tau", "baselines", "by_category", "interval_method",
    )  # fmt: skip
    row = {
        "name": name,
        "settings": RUNS[name],
        **{key: evaluation.get(key) for key in names},
        "train": {key: trained[key] for key in ("records", "pairs", "steps", "train_loss", "seconds", "pairs_per_second",
                                                "best_step", "best_validation_loss", "dtype", "device", "lr",
                                                "trainable_parameters")},
        "minutes": (time.time() - started) / 60,
        "threads": os.cpu_count(),
        "margins": [float(f"{comparison['margin']:.5g}") for comparison in compared],
        "prompts": numbered(comparison["prompt_id"] for comparison in compared),
    }  # fmt: skip
    write_json(RESULTS / f"{name}.json", row)
    return row


def numbered(keys: Iterable[str]) -> list[int]:
    """Keys as numbers in order of appearance."""
    known: dict[str, int] = {}
    return [known.setdefault(key, len(known)) for key in keys]


def differences() -> str:
    """Every run of a data set minus its base on the same comparisons, as Markdown; runs made before margins were kept
    are left out.
    """
    lines = ["| run | minus | accuracy, difference [95 %] |", "|---|---|---|"]
    rows = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    for start, base in BASES.items():
        if "margins" not in rows.get(base, {}):
            continue
        for name, row in rows.items():
            if name == base or not name.startswith(start) or row.get("prompts") != rows[base]["prompts"]:
                continue
            first, second = (np.array(one["margins"]) for one in (row, rows[base]))
            paired = compare_margins(
                first,
                second,
                preference=np.ones(len(first)),
                cluster=np.array(row["prompts"]),
                rng=np.random.default_rng(0),
            )
            low, high = paired.interval.low, paired.interval.high
            lines.append(f"| {name} | {base} | {paired.difference:+.3f} [{low:+.3f}, {high:+.3f}] |")
    return "\n".join(lines)


def table() -> str:
    """A line per result, as Markdown."""
    lines = [
        "| run | n (prompts) | accuracy [95 %] | longer wins | TF-IDF | minus TF-IDF [95 %] | ECE → after T | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        row = json.loads(path.read_text())
        if "rows" in row:  # tables of heads on frozen features
            continue
        rules = row["baselines"]
        low, high = row["accuracy_ci"]
        gain, (gain_low, gain_high) = rules["tfidf"]["difference"], rules["tfidf"]["difference_ci"]
        lines.append(
            f"| {row['name']} | {row['n']} ({row['clusters']}) | {row['accuracy']:.3f} [{low:.3f}, {high:.3f}] "
            f"| {rules['longer']['accuracy']:.3f} | {rules['tfidf']['accuracy']:.3f} "
            f"| {gain:+.3f} [{gain_low:+.3f}, {gain_high:+.3f}] | {row['ece']:.3f} → {row['ece_calibrated']:.3f} "
            f"| {row['minutes']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the named runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="runs to do (default: all)")
    arguments = parser.parse_args()
    data = os.environ.get("REWARDSMITH_DATA")
    if not data:
        sys.exit("set REWARDSMITH_DATA to the folder that holds hh-rlhf/ and ukp-convarg/")
    for name in arguments.names or RUNS:
        row = run(name, Path(data))
        print(f"{name}: {row['accuracy']:.4f} {row['accuracy_ci']} in {row['minutes']:.1f} minutes", flush=True)
    print(table(), differences(), sep="\n\n")


if __name__ == "__main__":
    main()
