"""How good a small language model is as a judge: parsable share, order consistency, accuracy with intervals, and cost.

    REWARDSMITH_DATA=... python benchmarks/judges.py [--labels 60] [--text 16] [--only SOURCE/JUDGE ...]

The judge is SmolLM2-135M-Instruct on this CPU, with the prompts of the package, on samples by content (`--max-records` of
`rewardsmith judge`) of HH, of UKP's arguments, and of the pairs that GPT-4 judged in both orders, of which those count as
labelled on which it agreed with itself. Label probabilities are read for the larger sample, generated text for the smaller,
whose records are among the larger's; `paired` compares both readings on the records that both have, with the interval of
the difference by prompt. Rows of more than MOST characters are left out, and counted, so that the questions fit into a CPU's
time. Processor time is that of the process, and `seconds_per_answer` is over the questions that were not answered before;
opening the model, which both contain, is told by itself. Every answer is kept, so that a run that was stopped goes on.
Writes `benchmarks/results/judges.json`.
"""

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.commands import judge
from rewardsmith.evaluate.inference.clustered import paired_difference
from rewardsmith.evaluate.metrics import correctness
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.evaluate.judged_columns import JudgedPair
from rewardsmith.terminal import progress_for

RESULTS = Path(__file__).parent / "results" / "judges.json"
MOST = 2_000
"""Characters of a row."""
SOURCES = {
    "hh": ("hh-rlhf/helpful.jsonl.gz", "hh-rlhf/harmless-base.jsonl.gz"),
    "ukp": ("ukp-convarg/strict.jsonl.gz",),
    "order-swapped-verdicts": ("order-swapped-verdicts/gpt4.jsonl.gz",),
}
TEXT = {"reading": "text", "max_tokens": 96}
JUDGES: Mapping[str, Mapping[str, Any]] = {
    "ten-points, labels": {"kind": "pointwise", "prompt": "ten-points"},
    "yes-no, labels": {"kind": "pointwise", "prompt": "yes-no"},
    "pairwise, labels": {"kind": "pairwise"},
    "ten-points, text": {"kind": "pointwise", "prompt": "ten-points", **TEXT},
    "pairwise, text": {"kind": "pairwise", **TEXT},
}
"""By the prompt and how it is read; a generated text is one vote, the likeliest text."""
SPENT = ("cpu_seconds", "seconds_per_answer", "wall_seconds", "prompt_tokens", "tokens")


def rows_of(source: str) -> Iterator[dict[str, Any]]:
    """The rows of a source, of order-swapped verdicts one row for the pairs on which both orders agree."""
    for name in SOURCES[source]:
        path = Path(os.environ["REWARDSMITH_DATA"]) / name
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        yield from agreed(rows) if source == "order-swapped-verdicts" else rows


def agreed(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row for each pair that was judged alike in both orders, with chosen and rejected."""
    first: dict[tuple[str, str, str], str] = {}
    for row in rows:
        one, other = row["responses"]
        before = first.get((row["prompt"], other, one))
        first[row["prompt"], one, other] = row["verdict"]
        if before is not None and {before, row["verdict"]} == {"1", "2"}:
            chosen, rejected = (one, other) if row["verdict"] == "1" else (other, one)
            yield {"prompt": row["prompt"], "chosen": chosen, "rejected": rejected}


def sampled_rows(source: str, path: Path, most: int) -> dict[str, int]:
    """Write a sample by content of the rows that are short enough; returns how many rows there are and were too long."""
    rows = [json.dumps(row, ensure_ascii=False) for row in rows_of(source)]
    short = [row for row in rows if len(row) <= MOST]
    kept = sorted(short, key=lambda row: hashlib.sha256(row.encode()).digest())[:most]
    path.write_text("".join(row + "\n" for row in kept), encoding="utf-8")
    return {"rows": len(rows), "too_long": len(rows) - len(short)}


def measured(
    name: str, path: Path, records: int, folder: Path, cache: Path
) -> tuple[dict[str, Any], dict[str, JudgedPair]]:
    """One judge on one source, and on which records it was right."""
    file, output = folder / "judge.yaml", folder / "verdicts.jsonl"
    file.write_text(json.dumps({**JUDGES[name], "model": "smollm2-135m"}), encoding="utf-8")
    config = judge.Config(
        judge=str(file), sources=(str(path),), max_records=records, cache=cache, output=output, show=0, overwrite=True
    )
    cpu, wall = time.process_time(), time.monotonic()
    told = judge.run(config, progress_for(sys.stderr)).to_json()
    counts = told["counts"]
    names = ("answers", "kept", "parsable", "problems", "mean_mass", "first_preferred", "prompt_tokens", "tokens")
    return {
        "records": told["records"],
        "not_shown": told["refused"],
        **{each: counts[each] for each in names},
        "consistency": told["consistency"],
        "accuracy": told["accuracy"],
        **cost(time.process_time() - cpu, counts["answers"] - counts["kept"]),
        "wall_seconds": round(time.monotonic() - wall, 1),
    }, right_in(output)


def cost(seconds: float, answers: int) -> dict[str, float | None]:
    """Processor time, of all and of each question that was asked now."""
    return {"cpu_seconds": round(seconds, 1), "seconds_per_answer": round(seconds / answers, 3) if answers else None}


def opening_seconds() -> float:
    """Processor time of opening the judge's model."""
    from rewardsmith.generate.local.model import open_language_model

    before = time.process_time()
    open_language_model("smollm2-135m", device="cpu")
    return round(time.process_time() - before, 1)


def right_in(path: Path) -> dict[str, JudgedPair]:
    """By record, whether its chosen response has the higher reward; without rewards nothing."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for c in row["comparisons"]:
            one, other = row["rewards"][c["i"]], row["rewards"][c["j"]]
            if one is not None and other is not None:
                found[f"{row['line']}"] = JudgedPair(one - other, 1.0, json.dumps(row["prompt"]))
    return found


def paired(labels: dict[str, JudgedPair], text: dict[str, JudgedPair]) -> dict[str, Any]:
    """The accuracy of both readings on the records that both have, and their difference with its interval by prompt."""
    common = sorted(labels.keys() & text.keys())
    if not common:
        return {"records": 0}
    first, second = (correctness(np.array([each[key].lead for key in common])) for each in (labels, text))
    prompts = np.unique([labels[key].prompt for key in common], return_inverse=True)[1]
    interval = paired_difference(first, second, np.ones(len(common)), cluster=prompts).interval()
    return {
        "records": len(common),
        "labels": float(first.mean()),
        "text": float(second.mean()),
        "difference": float((first - second).mean()),
        "interval": [interval.low, interval.high],
    }


def main() -> None:
    """Measure every judge on every source, and write what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=60)
    parser.add_argument("--text", type=int, default=16)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    found: dict[str, Any] = read_object(RESULTS) if RESULTS.is_file() else {}
    found["opening_cpu_seconds"] = opening_seconds()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for source in SOURCES:
            path, right = folder / f"{source}.jsonl", dict[str, dict[str, JudgedPair]]()
            counts = sampled_rows(source, path, max(asked.labels, asked.text))
            entry = found.setdefault(source, {"judges": {}, "paired": {}})
            entry |= counts
            for name in JUDGES:
                if asked.only and f"{source}/{name}" not in asked.only:
                    continue
                records = asked.text if name.endswith("text") else asked.labels
                cache = Path(tempfile.gettempdir()) / "rewardsmith-judges.sqlite"
                told, right[name] = measured(name, path, records, folder, cache)
                before = entry["judges"].get(name)
                if before and told["kept"]:  # what was known cost nothing this time
                    told |= {spent: before[spent] for spent in SPENT}
                entry["judges"][name] = told
                write_json(RESULTS, found)
            for prompt in ("ten-points", "pairwise"):
                both = [right.get(f"{prompt}, {reading}") for reading in ("labels", "text")]
                if all(each is not None for each in both):
                    entry["paired"][prompt] = paired(*both)  # type: ignore[arg-type]
            write_json(RESULTS, found)


if __name__ == "__main__":
    main()
