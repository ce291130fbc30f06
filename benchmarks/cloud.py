"""A critiqued reward model (CLoud) against a scalar head at the same compute, on built-in data whose critiques are known.

    python benchmarks/cloud.py [--prompts 300] [--test 300] [--seeds 1,2,3] [--sft-epochs 4] [--epochs 2] [--keep DIR]

Both start from the same untrained `tiny` model of the seed and see the same preference pairs. CLoud also sees a
critique of every response (`synthetic:N+critiques`: which values are right, and how many), which is more supervision
than the scalar head has: what is matched is compute, not labels. Matched are the tokens that go forward and backward
through the model, to which each generated token counts as a third (forward only); the scalar head gets as many epochs
as come to that, its best weights by validation. CPU seconds are reported for both, and what scoring costs. The
difference of accuracies is paired by comparison on the same test prompts, the interval is clustered by prompt over all
seeds. Beside it stands the accuracy of the number that the critiques themselves end with: what the language model
knows, whatever the head makes of it. Writes `benchmarks/results/cloud.json`; with --keep, runs that are there are not
made again, and one that was killed goes on.
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
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.critiques import critiques_of
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.inference.clustered import clustered_mean

RESULT = Path(__file__).parent / "results" / "cloud.json"
COUNT = re.compile(r"(\d) of 5 right|项对(\d)项")
MAX_LENGTH, CRITIQUE = 640, 160
FORWARD_ONLY = 1 / 3
COMMON = {"threads": 1, "device": "cpu", "max_length": MAX_LENGTH, "report": False, "batch": 16}


def written(path: Path, first: int, count: int, *, seed: int) -> str:
    """Rows `first` to `first + count` of the built-in data with their critiques, as a file."""
    made = generate(first + count, seed=seed).records[first:]
    rows = [to_row(record) for record in made]
    for row, record in zip(rows, made, strict=True):
        row["fields"] |= {"critiques": list(critiques_of(record))}
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


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


def outcomes(run: Path, source: str) -> dict[str, Any]:
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


def number_in(critiques: list[str]) -> float:
    """How many values are right by the last number of the critiques, their mean; 2.5 where none names one."""
    found = [re.findall(COUNT, text) for text in critiques]
    return float(np.mean([float("".join(each[-1])) if each else 2.5 for each in found]))


def sign(difference: float) -> float:
    """1 for a margin above 0, 1/2 for 0."""
    return float((np.sign(difference) + 1) / 2)


def both(seed: int, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What the two models of one seed came to."""
    own = folder / f"seed-{seed}"
    own.mkdir(parents=True, exist_ok=True)
    sizes = {"train": (0, arguments.prompts), "validation": (20_000, 60), "test": (30_000, arguments.test)}
    data = {name: written(own / f"{name}.jsonl", first, count, seed=1) for name, (first, count) in sizes.items()}
    critique = {"tokens": CRITIQUE, "sft_epochs": arguments.sft_epochs}
    cloud = trained(own / "cloud", data, seed, head="cloud", epochs=arguments.epochs, critique=critique)
    stages = cloud["critiques"]
    lines = (own / "cloud" / "critique" / "critiques.jsonl").read_bytes().splitlines()
    generated = sum(
        len(text.encode()) for line in lines for some in orjson.loads(line)["critiques"] for text, _ in some
    )
    tokens = stages["stage_1"]["tokens"] + cloud["tokens_per_second"] * cloud["seconds"] + FORWARD_ONLY * generated
    once = trained(own / "once", data, seed, epochs=1)
    epochs = max(1, round(tokens / (once["tokens_per_second"] * once["seconds"])))
    scalar = trained(own / "scalar", data, seed, epochs=epochs, evals=1)
    found = {name: outcomes(own / name, data["test"]) for name in ("cloud", "scalar")}
    print(
        f"seed {seed}: " + ", ".join(f"{name} {np.mean(one['right']):.3f}" for name, one in found.items()), flush=True
    )
    return {
        "seed": seed,
        "tokens": tokens,
        "epochs_of_the_scalar_head": epochs,
        "cpu_seconds": {"cloud": cloud["cpu_seconds"], "scalar": scalar["cpu_seconds"]},
        "seconds_to_score": {name: one["seconds"] for name, one in found.items()},
        "critique_loss_per_token": stages["stage_1"]["validation_loss_per_token"],
        "truncated": found["cloud"]["truncated"],
        "found": found,
    }


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
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        runs = [both(int(seed), arguments, folder) for seed in arguments.seeds.split(",")]
    joined = {
        name: [value for run in runs for value in run["found"][arm][column]]
        for name, arm, column in (
            ("cloud", "cloud", "right"),
            ("scalar", "scalar", "right"),
            ("critiques", "cloud", "said"),
        )
    }
    prompts = [prompt for run in runs for prompt in run["found"]["cloud"]["prompts"]]
    difference = [a - b for a, b in zip(joined["cloud"], joined["scalar"], strict=True)]
    told = {
        "prompts": arguments.prompts,
        "test_prompts": arguments.test,
        "comparisons": len(prompts),
        "seeds": len(runs),
        "sft_epochs": arguments.sft_epochs,
        "epochs": arguments.epochs,
        "accuracy": {name: share(values, prompts, (0.0, 1.0)) for name, values in joined.items()},
        "cloud_minus_scalar": share(difference, prompts, (-1.0, 1.0)),
        "runs": [{name: value for name, value in run.items() if name != "found"} for run in runs],
    }
    arguments.out.write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told["accuracy"] | {"difference": told["cloud_minus_scalar"]}, indent=2))


if __name__ == "__main__":
    main()
