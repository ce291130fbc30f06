"""Every head on UKP's pairs of arguments, with two more attributes planted: does a head cost the reward any accuracy?

    REWARDSMITH_DATA=… python benchmarks/heads.py [--heads scalar,gaussian] [--seeds 3] [--model minilm-l6]

The overall label is UKP's: which argument convinces more. `safe` says whether an argument lacks a rude sentence, which
40 % of them get at random, whatever their label; `words` rates their length. The backbone is frozen and its features are
cached, so that only heads learn. Debates (16) are split at random by seed: 9 to train, 3 to choose the learning rate (the
best of `--rates` by validation accuracy, for every head alike) and to stop early, 4 to test. The difference to the scalar
head is paired by comparison, its interval by prompt; a prompt that several seeds test on counts once. Writes
`benchmarks/results/heads.json`.
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from judged_records import opened, written
from paired_rows import figures
from rewardsmith.data.formats.native import to_row
from rewardsmith.files import hash_text, write_json

RESULT = Path(__file__).parent / "results" / "heads.json"
HEADS = ("scalar", "multi-objective", "helpful-cost", "gaussian", "quantile", "odin", "inform")
RUDE = " And if you do not see that, you are a fool."
SHARE_RUDE = 0.4
PAIRS = 150  # of a debate, at most
FEW = 20
"""Rows that `train` itself tests on, which is not used here."""


def planted_row(record: Any) -> dict[str, Any]:
    """The record with rude arguments, ratings of their length, and judgements of their safety."""
    row = to_row(record)
    texts = [response["messages"][-1]["content"] for response in row["responses"]]
    rude = [int(hash_text(f"{record.prompt_id}:{text}")[:8], 16) / 2**32 < SHARE_RUDE for text in texts]
    for response, bad in zip(row["responses"], rude, strict=True):
        response["messages"][-1]["content"] += RUDE if bad else ""
    row["ratings"] = {
        "words": [float(np.log(len(text.split()))) for text in texts],
        "safe": [float(not bad) for bad in rude],
    }
    row["comparisons"] += [
        {"i": i, "j": j, "attribute": "safe"} for i, j in ((0, 1), (1, 0)) if rude[j] and not rude[i]
    ]
    return row


def debates(folder: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each debate, at most PAIRS, chosen by hash."""
    found: dict[str, list[Any]] = {}
    for record in rs.load(str(Path(folder) / "ukp-convarg/strict.jsonl.gz")).records:
        found.setdefault(str(record.fields["topic"]), []).append(record)
    return {
        topic: [planted_row(record) for record in sorted(records, key=lambda each: hash_text(each.id))[:PAIRS]]
        for topic, records in sorted(found.items())
    }


def settings_of(head: str) -> Any:
    """The head with its options: the overall label is an attribute among others."""
    return {"name": head, "attributes": ["overall", "safe", "words"]} if head == "multi-objective" else head


def outcome(run: Path, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """By overall comparison the margin of the reward, and its prompt; by response the columns and the planted values."""
    margins, prompts, said, columns = [], [], [], []
    records = list(rs.load(written(run.parent, "judged", rows)).records)
    model = opened(run, records, frozen=True)
    for record, found in zip(records, model.outputs(records), strict=True):
        for c in record.comparisons:
            if c.attribute == "overall" and not c.is_tie:
                margins.append(found.rewards[c.i] - found.rewards[c.j])
                prompts.append(int(record.prompt_id[:12], 16))
        said += list(zip(record.ratings["words"], record.ratings["safe"], strict=True))
        columns += list(zip(*found.columns.values(), strict=True))
    return {
        "margin": np.array(margins),
        "prompt": np.array(prompts),
        "said": np.array(said),
        "columns": np.array(columns),
        "names": np.array(model.columns, dtype=str),
    }


def best_run(
    data: dict[str, str], folder: Path, model: str, head: str, seed: int, rates: list[float]
) -> tuple[float, float, Path]:
    """The run with the best accuracy on validation, among the learning rates."""
    found = []
    for rate in rates:
        run = folder / f"{head}-{rate:g}"
        rs.train(
            model, data["train"], run, validation=data["validation"], test=data["few"], head=settings_of(head),
            freeze_layers=-1, lr=rate, seed=seed, epochs=4, patience=4, evals=4, report=False, threads=1,
        )  # fmt: skip
        lines = [orjson.loads(line) for line in (run / "metrics.jsonl").read_bytes().splitlines()]
        found.append((max(line["eval_accuracy"] for line in lines if "eval_accuracy" in line), rate, run))
    return max(found)


def columns_told(outcomes: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Correlation of each column with what was planted, and for a cost the share of responses on the right side of 0."""
    told: dict[str, Any] = {}
    words, safe = np.concatenate([each["said"] for each in outcomes]).T
    for at, name in enumerate(outcomes[0]["names"].tolist()):
        values = np.concatenate([each["columns"][:, at] for each in outcomes])
        told[name] = {
            what: float(np.corrcoef(values, known)[0, 1]) for what, known in (("words", words), ("safe", safe))
        }
        if name == "cost":
            told[name]["right_side_of_0"] = float(np.mean((values < 0) == (safe > 0)))
    return told


def told_of(outcomes: list[dict[str, np.ndarray]], base: np.ndarray) -> dict[str, Any]:
    """The figures of a head over all seeds."""
    margin, prompts = (np.concatenate([each[key] for each in outcomes]) for key in ("margin", "prompt"))
    return {
        **figures(margin, base, prompts, minus="minus_scalar"),
        "by_seed": [float((each["margin"] > 0).mean()) for each in outcomes],
        "comparisons": len(margin),
        "prompts": len(np.unique(prompts)),
        "columns": columns_told(outcomes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--heads", default=",".join(HEADS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default="minilm-l6")
    parser.add_argument("--rates", default="1e-3,1e-2")
    arguments = parser.parse_args()
    rates = [float(rate) for rate in arguments.rates.split(",")]
    if not (place := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    heads = ["scalar", *(name for name in arguments.heads.split(",") if name != "scalar")]
    by_topic = debates(place)
    results: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in heads}
    rates_of: dict[str, list[float]] = {name: [] for name in heads}
    with TemporaryDirectory() as scratch:
        for seed in range(arguments.seeds):
            folder = Path(scratch) / str(seed)
            folder.mkdir()
            topics = np.random.default_rng(seed).permutation(list(by_topic)).tolist()
            cut = {"train": topics[:9], "validation": topics[9:12], "test": topics[12:]}
            parts = {name: [row for topic in some for row in by_topic[topic]] for name, some in cut.items()}
            parts["few"] = parts["validation"][:FEW]
            data = {name: written(folder, name, rows) for name, rows in parts.items()}
            for name in heads:
                _, rate, run = best_run(data, folder, arguments.model, name, seed, rates)
                results[name].append(outcome(run, parts["test"]))
                rates_of[name].append(rate)
                print(seed, name, rate, float((results[name][-1]["margin"] > 0).mean()), flush=True)
            base = np.concatenate([each["margin"] for each in results["scalar"]])
            rows = {name: {"chosen_rates": rates_of[name], **told_of(results[name], base)} for name in heads}
            settings = {"model": arguments.model, "seeds": seed + 1, "rates": rates}
            write_json(arguments.output, {"settings": settings, "heads": rows})


if __name__ == "__main__":
    main()
