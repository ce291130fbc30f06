"""Whether `rewardsmith prepare` finds the faults that are planted in the built-in data, and leaves clean rows alone.

    REWARDSMITH_DATA=… python benchmarks/planted_faults.py [--prompts 1000]

Each kind of fault is planted alone, at 1 %, 5 % and 20 % of the prompts and with three seeds; `prepare` runs with the checks
that are meant for it under --remove, and the rows in removed.jsonl and quarantine.jsonl are compared with the planted ones.
Where a fault is a pair of rows (a copy, a contradiction), either of them counts as right. Recall is over planted rows,
precision over found rows, false alarms over clean rows, each with Wilson's 95 % interval over the three seeds together.
Cycles, order effects and texts of benchmarks are planted here, since they are made of several rows or files.

With REWARDSMITH_DATA, every check also runs over the real data there, and what it found is counted; `--examples N` prints
drawn ones to read. Figures go to `benchmarks/results/planted_faults.json`.
"""

import argparse
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import Synthetic, generate
from rewardsmith.files import write_json
from rewardsmith.pipelines.prepare.cross_row import REMOVABLE
from rewardsmith.records import Comparison, Record

RESULT = Path(__file__).parent / "results" / "planted_faults.json"
RATES = (0.01, 0.05, 0.2)
SEEDS = (0, 1, 2)
WHOLE = (1.0, 0.0, 0.0)
Settings = dict[str, Any]

EXPECTED: dict[str, tuple[tuple[str, ...], Settings]] = {
    "mojibake": (("damaged_text",), {}),
    "double_mojibake": (("damaged_text",), {}),
    "wide_mojibake": (("damaged_text",), {}),
    "lost_bytes": (("damaged_text",), {}),
    "leaked_markup": (("template_token", "role_tag", "placeholder"), {}),
    "hidden_characters": (("invisible_characters", "control_characters", "replacement_character"), {}),
    "self_reference": (("assistant_boilerplate",), {}),
    "foreign_language": (("other_language",), {"languages": ("en", "zh")}),
    "cut_short": (("too_few_words",), {"min_words": 3}),
    "drawn_out": (("too_many_words",), {"max_words": 250}),
    "near_identical": (("similar_responses",), {}),
    "repetition": (("repetition", "compressible"), {}),
    "refusal": (("refusal",), {}),
    "divided_votes": (("low_agreement",), {}),
    "single_votes": (("few_votes",), {}),
    "even_votes": (("label_without_majority",), {}),
    "label_conflict": (("label_conflict",), {}),
    "duplicates": ((), {}),
    "near_duplicates": (("near_duplicate",), {}),
    "contradictions": (("contradiction",), {}),
    "cycles": (("preference_cycle",), {}),
    "leakage": (("near_duplicate",), {}),
}
"""For each fault of the generator the checks that are meant to find it, and the settings they need."""

FILES = (
    *(
        "hh-rlhf/harmless-base",
        "hh-rlhf/helpful",
        "ultrafeedback-noise/clean",
        "ukp-convarg/strict",
        "webgpt/comparisons",
    ),
    *("alpaca-eval/pairs_length_balanced", "zeroeval-gsm8k/best_of_n", "order-swapped-verdicts/gpt4"),
)

READ = {
    "refusal": {"read": 30, "right": 25},
    "assistant_boilerplate": {"read": 10, "right": 10},
    "role_tag": {"read": 14, "right": 14},
    "template_token": {"read": 6, "right": 6},
    "placeholder": {"read": 3, "right": 3},
    "repetition": {"read": 9, "right": 9},
    "invisible_characters": {"read": 3, "right": 3},
    "replacement_character, control_characters, damaged_text": {"read": 4, "right": 4},
}
"""Drawn findings on the real data, read one by one: is it what the check says? Five of the refusals decline a part only ("I
cannot give personal opinions, but …") or are none ("I'm not going to tell you the truth")."""


def interval(hits: int, n: int) -> list[float] | None:
    """Wilson's 95 % interval of a share (Wilson 1927); None of nothing."""
    if not n:
        return None
    z = 1.959964
    centre, spread = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return [round((centre + sign * spread) / (n + z * z), 5) for sign in (-1, 1)]


def share(hits: int, n: int) -> dict[str, Any]:
    """A share with its counts and interval."""
    return {"value": round(hits / n, 5) if n else None, "ci95": interval(hits, n), "hits": hits, "of": n}


def write(path: Path, records: Iterable[Record]) -> str:
    """Records as a file in the package's own format."""
    path.write_bytes(b"".join(orjson.dumps(to_row(record)) + b"\n" for record in records))
    return str(path)


def lines(folder: Path, name: str, key: str = "line") -> set[int]:
    """The lines that a ledger names."""
    path = folder / f"{name}.jsonl"
    return {orjson.loads(line)[key] for line in path.read_bytes().splitlines()} if path.exists() else set()


def taken_out(records: list[Record], remove: tuple[str, ...], **settings: Any) -> set[int]:
    """Indices of the records that prepare takes out, by what is asked for or by certain loss."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not set(remove) & {"near_duplicate", "near_contradiction"}:
            settings = {"near_threshold": 0.0, **settings}  # the search takes longer than all else
        config = Config(
            sources=(write(folder / "in.jsonl", records),),
            output=folder / "out",
            fractions=WHOLE,
            remove=remove,
            **settings,
        )
        result = run(config)
        assert result.kept + result.quarantined + result.removed == result.rows == len(records)
        return {line - 1 for ledger in ("removed", "quarantine") for line in lines(folder / "out", ledger)}


def generated(fault: str, rate: float, seed: int, prompts: int) -> tuple[list[Record], set[int], set[int]]:
    """(records, planted ones, rows that are rightly found besides: the twins of copies)."""
    # Judges who err form circles of their own, which are rightly found: none of that here.
    shape: Settings = {"responses_per_prompt": 3, "noise": 0.0} if fault == "cycles" else {}
    made: Synthetic = generate(prompts, seed=seed, faults={fault: rate}, **shape)
    planted = set(made.planted[fault])
    return made.records, planted, {made.twins[index] for index in planted if index in made.twins}


def cycles_of_rows(rate: float, seed: int, prompts: int) -> tuple[list[Record], set[int], set[int]]:
    """Rows of two responses each, of which three on one prompt go round in a circle."""
    clean = generate(prompts, seed=seed, responses_per_prompt=3).records
    draw = random.Random(f"cycles:{seed}")
    round_ = set(draw.sample(range(prompts), round(rate * prompts)))
    rows, planted = [], set()
    for at, record in enumerate(clean):
        pairs = ((0, 1), (1, 2), (2, 0)) if at in round_ else ((0, 1), (1, 2), (0, 2))
        for i, j in pairs:
            if at in round_:
                planted.add(len(rows))
            pair = (record.responses[i], record.responses[j])
            rows.append(replace(record, responses=pair, comparisons=(Comparison(0, 1),)).at("made", len(rows) + 1))
    return rows, planted, set()


def order_effects(rate: float, seed: int, prompts: int) -> tuple[list[Record], set[int], set[int]]:
    """Every pair judged in both orders; of some the first shown always wins."""
    clean = [record for record in generate(prompts, seed=seed).records if record.comparisons]
    draw = random.Random(f"order:{seed}")
    swayed = set(draw.sample(range(len(clean)), round(rate * len(clean))))
    rows, planted = [], set()
    for at, record in enumerate(clean):
        for first in (0, 1):
            better = first if at in swayed else 0
            if at in swayed:
                planted.add(len(rows))
            verdict = Comparison(better, 1 - better, shown_first=first)
            rows.append(replace(record, comparisons=(verdict,)).at("made", len(rows) + 1))
    return rows, planted, set()


def measured(
    make: Callable[..., Any], remove: tuple[str, ...], settings: Settings, prompts: int
) -> list[dict[str, Any]]:
    """Recall, precision and false alarms of one fault at each rate."""
    table = []
    for rate in RATES:
        found_planted = planted_count = found = right = alarms = clean = 0
        for seed in SEEDS:
            records, planted, besides = make(rate, seed, prompts)
            out = taken_out(records, remove, **settings)
            # Of a copy and its twin only one has to go.
            found_planted += len(planted & out) if not besides else min(len(planted), len((planted | besides) & out))
            planted_count += len(planted)
            found += len(out)
            right += len(out & (planted | besides))
            alarms += len(out - planted - besides)
            clean += len(records) - len(planted | besides)
        table.append(
            {
                "rate": rate,
                "recall": share(found_planted, planted_count),
                "precision": share(right, found),
                "false_alarms": share(alarms, clean),
            }
        )
    return table


def leaks(prompts: int) -> list[dict[str, Any]]:
    """How many planted retyped prompts stand on another side than their twin, by plain prompt and by near-prompt."""
    table = []
    for rate in RATES:
        counts = {"prompt": 0, "near-prompt": 0}
        total = 0
        for seed in SEEDS:
            made = generate(prompts, seed=seed, faults={"leakage": rate})
            total += len(made.planted["leakage"])
            for by in counts:
                with tempfile.TemporaryDirectory() as name:
                    folder = Path(name)
                    source = write(folder / "in.jsonl", made.records)
                    run(Config(sources=(source,), output=folder / "out", split_by=None if by == "prompt" else by))
                    sides = {
                        orjson.loads(line)["prompt"][0]["content"]: side
                        for side in ("train", "validation", "test")
                        for line in (folder / f"out/{side}.jsonl").read_bytes().splitlines()
                    }
                for copy in made.planted["leakage"]:
                    texts = (made.records[at].prompt[0].content for at in (copy, made.twins[copy]))
                    counts[by] += len({sides[text] for text in texts}) > 1
        table.append({"rate": rate, "torn_apart": {by: share(count, total) for by, count in counts.items()}})
    return table


def contamination(prompts: int) -> list[dict[str, Any]]:
    """Prompts of a benchmark inside prompts: all found, each listed, nothing else taken out."""
    table = []
    for rate in RATES:
        found = planted_count = alarms = clean = 0
        for seed in SEEDS:
            records = generate(prompts, seed=seed).records
            secret = generate(prompts, seed=seed + 100).records[: round(rate * prompts)]
            known = {record.prompt[0].content for record in records}
            secret = [record for record in secret if record.prompt[0].content not in known]
            rows = list(records)
            for at, one in enumerate(secret):  # the prompt alone, without the answers
                rows[at] = replace(rows[at], prompt=one.prompt)
            rows = [record.at("made", line) for line, record in enumerate(rows, 1)]
            with tempfile.TemporaryDirectory() as name:
                bench = Path(name) / "bench.jsonl"
                bench.write_bytes(b"".join(orjson.dumps({"q": one.prompt[0].content}) + b"\n" for one in secret))
                out = taken_out(rows, (), decontaminate=(str(bench),)) if secret else set()
            found += len(out & set(range(len(secret))))
            planted_count += len(secret)
            alarms += len(out - set(range(len(secret))))
            clean += len(rows) - len(secret)
        table.append({"rate": rate, "recall": share(found, planted_count), "false_alarms": share(alarms, clean)})
    return table


def clean_rows(prompts: int) -> dict[str, Any]:
    """What each check says about clean generated rows, all of them switched on."""
    counts: dict[str, int] = {}
    total = alarmed = 0
    settings = {"min_words": 3, "max_words": 250, "languages": ("en", "zh")}
    for seed in SEEDS:
        records = generate(prompts, seed=seed + 50).records
        total += len(records)
        alarmed += len(taken_out(records, REMOVABLE, **settings))
        with tempfile.TemporaryDirectory() as name:
            source = write(Path(name) / "in.jsonl", records)
            result = run(Config(sources=(source,), output=Path(name) / "out", fractions=WHOLE, **settings))
        for check, count in result.findings.items():
            counts[check] = counts.get(check, 0) + count
    return {"any_check": share(alarmed, total), "by_check": counts}


def real_data(data: Path, examples: int) -> dict[str, Any]:
    """What each check says about real rows; `examples` are printed to be read."""
    found: dict[str, Any] = {}
    for name in FILES:
        with tempfile.TemporaryDirectory() as folder:
            source, output = str(data / f"{name}.jsonl.gz"), Path(folder) / "out"
            result = run(Config(sources=(source,), output=output, fractions=WHOLE))
            report = orjson.loads((output / "quality.json").read_bytes())
        filters = {one["check"]: one["found"] for one in report["filters"] if one["found"]}
        found[name] = {"rows": result.rows, "quarantined": result.quarantined_by, "found_rows": filters}
        print(f"{name}: {result.rows} rows; quarantined {result.quarantined_by}; {filters}")
        for one in report["findings"] if examples else ():
            for example in one["examples"][:examples]:
                print(f"    {one['check']}: {example['detail'][:160]}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="kinds of faults; default: all")
    arguments = parser.parse_args()
    start = time.time()
    kinds: dict[str, tuple[Callable[..., Any], tuple[str, ...], Settings]] = {
        name: (lambda rate, seed, prompts, name=name: generated(name, rate, seed, prompts), *expected)
        for name, expected in EXPECTED.items()
    }
    kinds["cycles of three rows"] = (cycles_of_rows, ("preference_cycle",), {})
    kinds["order effect"] = (order_effects, ("order_changes_verdict",), {"keep_duplicates": True})
    faults = {}
    print(f"{'fault':22} {'rate':>5} {'recall':>7} {'precision':>9} {'alarms':>7}")
    for name, (make, remove, settings) in kinds.items():
        if arguments.only and name not in arguments.only:
            continue
        rows = measured(make, remove, settings, arguments.prompts)
        faults[name] = {"checks": remove or ("duplicate",), "settings": settings, "rates": rows}
        for row in rows:
            values = (row[key]["value"] for key in ("recall", "precision", "false_alarms"))
            print(
                f"{name:22} {row['rate']:5} "
                + " ".join(f"{value if value is not None else '-':>8}" for value in values)
            )
    result: dict[str, Any] = {"prompts": arguments.prompts, "seeds": SEEDS, "faults": faults}
    result["contamination"] = contamination(arguments.prompts)
    result["leakage"] = leaks(arguments.prompts)
    result["clean"] = clean_rows(arguments.prompts)
    print(result["contamination"], result["leakage"], result["clean"], sep="\n")
    if folder := os.environ.get("REWARDSMITH_DATA"):
        result["real"] = real_data(Path(folder), arguments.examples)
        result["read"] = READ
    result["seconds"] = round(time.time() - start)
    if not arguments.only:
        old = orjson.loads(RESULT.read_bytes()) if RESULT.exists() else {}
        write_json(RESULT, result | {key: old[key] for key in ("mutated",) if key in old})


if __name__ == "__main__":
    main()
