"""A critiqued reward model (CLoud) against a scalar head at the same compute, on built-in data whose critiques are known.

    python benchmarks/cloud.py [--prompts 300] [--test 300] [--seeds 1,2,3] [--critiques words|marks] [--language mixed]
        [--sft-epochs 4] [--epochs 2] [--keep DIR]

All start from the same untrained `tiny` model of the seed and see the same preference pairs. CLoud also sees a critique of
every response: `words` are those of `synthetic:N+critiques` (which values are right, and how many), `marks` say the same in
eight characters (`++-+-=3`), which a model of this size has a chance to learn. That is more supervision than the scalar head
has: what is matched is compute, not labels. Matched are the tokens that go forward and backward through the model, to which
each generated token counts as a third (forward only); the scalar head gets as many epochs as come to that, its best weights
by validation. Reported on the same test prompts:

- `own`: CLoud as it is meant, its own critiques in training and at test;
- `own_behind_given`: the same model, its rewards read behind the given critiques;
- `given`: CLoud trained behind the given critiques (`--critique.source given`) and read behind them at test: what a critic
  who makes no mistake would be worth (an upper bound; nobody has these critiques at test);
- `given_behind_own`: that model behind the critiques that it writes itself;
- `scalar`, and `said`: the accuracy of the number that the own critiques end with, whatever the head makes of it.

Differences of accuracies are paired by comparison, intervals are clustered by prompt over all seeds. CPU seconds are
reported, and what scoring costs. Writes `benchmarks/results/cloud.json`; with --keep, runs that are there are not made
again, and one that was killed goes on.
"""

import argparse
import json
import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from rewardsmith.critique.critic import Critique
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.critiques import critiques_of
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.inference.clustered import clustered_mean
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object

RESULT = Path(__file__).parent / "results" / "cloud.json"
COUNT = re.compile(r"(\d) of 5 right|项对(\d)项|=(\d)")
VALUE = re.compile(r", (right|not )|，(对|应为)")
MAX_LENGTH, LONGEST = 640, {"words": 160, "marks": 12}
FORWARD_ONLY = 1 / 3
COMMON = {"threads": 1, "device": "cpu", "max_length": MAX_LENGTH, "report": False, "batch": 16}


def written(path: Path, first: int, count: int, arguments: argparse.Namespace) -> str:
    """Rows `first` to `first + count` of the built-in data with their critiques, as a file."""
    made = generate(first + count, seed=1, language=arguments.language).records[first:]
    rows = [to_row(record) for record in made]
    for row, record in zip(rows, made, strict=True):
        critiques = critiques_of(record)
        row["fields"] |= {
            "critiques": [marks(each) for each in critiques] if arguments.critiques == "marks" else critiques
        }
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def marks(critique: str) -> str:
    """A critique in words as + and - by value, and how many are right."""
    found = "".join("+" if {"right", "对"} & set(each) else "-" for each in VALUE.findall(critique))
    return f"{found}={found.count('+')}"


def trained(run: Path, data: dict[str, str], seed: int, **settings: Any) -> dict[str, Any]:
    """The summary of a run, which is made unless it is there; with its CPU seconds, where it was made in one go."""
    summary = run / "train.json"
    if not (summary.is_file() and json.loads(summary.read_text()).get("finished")):
        resume, started = (run / "settings.json").is_file(), time.process_time()
        rs.train(
            "tiny", data["train"], run, validation=data["validation"], test=data["test"], seed=seed, resume=resume,
            **COMMON, **settings,
        )  # fmt: skip
        (run.parent / f"{run.name}.seconds").write_text("null" if resume else str(time.process_time() - started))
    seconds = json.loads((run.parent / f"{run.name}.seconds").read_text())
    return {**json.loads(summary.read_text()), "cpu_seconds": seconds}


def own_outcomes(run: Path, source: str) -> dict[str, Any]:
    """By comparison of the test data: its prompt, whether the reward and the critiques' numbers are right (ties half)."""
    out, started = run.with_suffix(".scored.jsonl"), time.process_time()
    found = rs.score(str(run), source, out, device="cpu", overwrite=True)
    seconds = time.process_time() - started
    right, said, prompts = [], [], []
    for line in out.read_bytes().splitlines():
        row = orjson.loads(line)
        numbers = [number_in(each) for each in row.get("critiques") or ()]
        for c in row["comparisons"]:
            right.append(sign(row["rewards"][c["i"]] - row["rewards"][c["j"]]))
            said.append(sign(numbers[c["i"]] - numbers[c["j"]]) if numbers else np.nan)
            prompts.append(row["prompt"][-1]["content"])
    told = found.to_json()
    share = told.get("critiques_truncated", 0) / told["critiques"] if told.get("critiques") else None
    return {"right": right, "said": said, "prompts": prompts, "seconds": seconds, "truncated": share}


def behind_given(run: Path, source: str) -> list[float]:
    """By comparison of the test data, whether the reward behind the given critiques is right."""
    model, records = rs.CritiqueModel.load(run, device="cpu"), rs.load(source).records
    given = [tuple((Critique(text, False),) for text in record.fields["critiques"]) for record in records]
    found = model.given(records, given)
    return [
        sign(one.rewards[c.i] - one.rewards[c.j])
        for record, one in zip(records, found, strict=True)
        for c in record.comparisons
    ]


def number_in(critiques: list[str]) -> float:
    """How many values are right by the last number of the critiques, their mean; 2.5 where none names one."""
    found = [re.findall(COUNT, text) for text in critiques]
    return float(np.mean([float("".join(each[-1])) if each else 2.5 for each in found]))


def sign(difference: float) -> float:
    """1 for a margin above 0, 1/2 for 0."""
    return float((np.sign(difference) + 1) / 2)


def arms_of(seed: int, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What the models of one seed came to."""
    own = folder / f"seed-{seed}"
    own.mkdir(parents=True, exist_ok=True)
    sizes = {"train": (0, arguments.prompts), "validation": (20_000, 60), "test": (30_000, arguments.test)}
    data = {name: written(own / f"{name}.jsonl", first, count, arguments) for name, (first, count) in sizes.items()}
    critique = {"tokens": LONGEST[arguments.critiques], "sft_epochs": arguments.sft_epochs}
    clouds = {
        name: trained(own / name, data, seed, head="cloud", epochs=arguments.epochs, critique={**critique, **more})
        for name, more in (("own", {}), ("given", {"source": "given"}))
    }
    tokens = tokens_of(clouds["own"], own / "own")
    once = trained(own / "once", data, seed, epochs=1)
    epochs = max(1, round(tokens / (once["tokens_per_second"] * once["seconds"])))
    scalar = trained(own / "scalar", data, seed, epochs=epochs, evals=1)
    found = {name: own_outcomes(own / name, data["test"]) for name in ("own", "given", "scalar")}
    right = {
        "own": found["own"]["right"],
        "own_behind_given": behind_given(own / "own", data["test"]),
        "given": behind_given(own / "given", data["test"]),
        "given_behind_own": found["given"]["right"],
        "scalar": found["scalar"]["right"],
        "said": found["own"]["said"],
    }
    told = {name: round(float(np.mean(values)), 4) for name, values in right.items()}
    print(f"seed {seed}: {told}", flush=True)
    return {
        "seed": seed,
        "tokens": tokens,
        "epochs_of_the_scalar_head": epochs,
        "cpu_seconds": {"own": clouds["own"]["cpu_seconds"], "scalar": scalar["cpu_seconds"]},
        "seconds_to_score": {name: found[name]["seconds"] for name in ("own", "scalar")},
        "critique_loss_per_token": clouds["own"]["critiques"]["stage_1"]["validation_loss_per_token"],
        "truncated": found["own"]["truncated"],
        "accuracy": told,
        "right": right,
        "prompts": found["own"]["prompts"],
    }


def tokens_of(cloud: dict[str, Any], run: Path) -> float:
    """Tokens of both stages forward and backward, and a third of those that were generated."""
    lines = (run / "critique" / "critiques.jsonl").read_bytes().splitlines()
    generated = sum(
        len(text.encode()) for line in lines for some in orjson.loads(line)["critiques"] for text, _ in some
    )
    learned = cloud["tokens_per_second"] * cloud["seconds"]
    return cloud["critiques"]["stage_1"]["tokens"] + learned + FORWARD_ONLY * generated


def share(values: list[float], prompts: list[str], bounds: tuple[float, float]) -> dict[str, Any]:
    """The mean with its interval, clustered by prompt."""
    numbers = np.unique(prompts, return_inverse=True)[1]
    mean = clustered_mean(np.array(values), np.ones(len(values)), cluster=numbers, bounds=bounds)
    ends = mean.interval()
    return {"value": float(np.mean(values)), "interval": [float(ends.low), float(ends.high)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sft-epochs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--critiques", choices=LONGEST, default="words")
    parser.add_argument("--language", choices=("en", "zh", "mixed"), default="mixed")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        runs = [arms_of(int(seed), arguments, folder) for seed in arguments.seeds.split(",")]
    prompts = [prompt for run in runs for prompt in run["prompts"]]
    joined = {name: [value for run in runs for value in run["right"][name]] for name in runs[0]["right"]}
    told = {
        "settings": {key: value for key, value in vars(arguments).items() if key not in ("keep", "output")},
        "comparisons": len(prompts),
        "accuracy": {name: share(values, prompts, (0.0, 1.0)) for name, values in joined.items()},
        "minus_scalar": {
            name: share([a - b for a, b in zip(values, joined["scalar"], strict=True)], prompts, (-1.0, 1.0))
            for name, values in joined.items()
            if name != "scalar"
        },
        "runs": [{name: value for name, value in run.items() if name not in ("right", "prompts")} for run in runs],
    }
    found = read_object(arguments.output) if arguments.output.is_file() else {}
    write_json(arguments.output, {**found, f"{arguments.language}, {arguments.critiques}": told})
    print(json.dumps({name: told[name] for name in ("accuracy", "minus_scalar")}, indent=2))


if __name__ == "__main__":
    main()
