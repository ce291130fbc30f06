"""Ensembles on the built-in data, whose gold reward is known, with 25 % of the training labels flipped.

    python benchmarks/ensembles.py -o ensembles.json [--prompts 500] [--members 8] [--seeds 3] [--judged 40]

For each seed (which flips other labels and draws other bootstrap samples) a single head and an ensemble of heads are
fitted on the frozen layers 6 and 12 of SmolLM2-135M. Validation labels are as noisy as those of training. Of N responses
to a prompt that no run has seen the one with the highest reward is taken, N up to 64, and its gold reward counts, as
Coste et al. 2023 (arXiv 2310.02743) measure best-of-N. Intervals are over prompts and seeds, both drawn with replacement.
How well the disagreement tells wrong comparisons is measured on clean comparisons of those prompts.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from judged_records import written
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.members.measures import MemberMargins, disagreement_of
from rewardsmith.model.scorer import features, sequences_of

NOISE = 0.25
SIZES = (1, 2, 4, 8, 16, 32, 64)
WEIGHTS = (0.5, 1.0, 2.0)
RESAMPLES = 2000


def flipped(row: dict[str, Any], draw: np.random.Generator) -> dict[str, Any]:
    """The row with its comparison swapped with probability NOISE."""
    swap = draw.random() < NOISE
    sides = [{**c, "i": c["j"], "j": c["i"]} if swap else c for c in row["comparisons"]]
    return {**row, "comparisons": sides}


def features_of(model: Any, records: list[Any]) -> np.ndarray:
    """What a head reads of every response, (prompts, responses, features); the same for all heads on one frozen backbone."""
    sequences = [sequences_of(record, model.encode(record)) for record in records]
    return np.stack(list(features(model.network, sequences)))


def rules(single: np.ndarray, members: np.ndarray) -> dict[str, np.ndarray]:
    """The rewards (prompts, responses) of each rule, from those of the single head and of the members."""
    mean, std = members.mean(axis=-1), members.std(axis=-1)
    found = {"single": single, "mean": mean, "min": members.min(axis=-1), "median": np.median(members, axis=-1)}
    return found | {f"mean - {weight:g} std": mean - weight * std for weight in WEIGHTS}


def best_of(reward: np.ndarray, gold: np.ndarray, size: int) -> np.ndarray:
    """The gold reward of the best of the first `size` responses of each prompt, averaged over disjoint groups of them."""
    groups = gold.shape[1] // size
    chosen = reward[:, : groups * size].reshape(len(gold), groups, size).argmax(axis=2)
    values = gold[:, : groups * size].reshape(len(gold), groups, size)
    return np.take_along_axis(values, chosen[..., None], axis=2)[..., 0].mean(axis=1)


def interval(cells: np.ndarray) -> list[float]:
    """A 95 % interval of the mean of (seeds, prompts), both drawn with replacement."""
    draw = np.random.default_rng(0)
    seeds, prompts = cells.shape
    means = [
        cells[np.ix_(draw.integers(0, seeds, seeds), draw.integers(0, prompts, prompts))].mean()
        for _ in range(RESAMPLES)
    ]
    return np.quantile(means, [0.025, 0.975]).tolist()


def margins(members: np.ndarray, gold: np.ndarray) -> MemberMargins:
    """Neighbouring responses of each prompt whose gold differs, the better first."""
    rows, prompt = [], []
    for number, (values, truth) in enumerate(zip(members, gold, strict=True)):
        for first in range(0, len(truth) - 1, 2):
            if truth[first] != truth[first + 1]:
                sign = 1 if truth[first] > truth[first + 1] else -1
                rows.append(sign * (values[first] - values[first + 1]))
                prompt.append(number)
    columns, ones = np.array(rows), np.ones(len(rows))
    return MemberMargins(columns.mean(axis=1), columns, ones, ones, np.array(prompt))


def trained(given: argparse.Namespace, data: dict[str, str], output: Path, seed: int, members: int) -> Any:
    """A run of fitted heads, opened."""
    rs.train(
        "smollm2-135m", data["train"], output, validation=data["held"], test=data["held"], seed=seed, members=members,
        freeze_layers=-1, head_start="probe", read_layers=(6, 12), pooling=("last", "mean"), report=False, threads=1,
        dtype="fp32", progress=rs.SILENT,
    )  # fmt: skip
    return rs.RewardModel.load(output)


def one_seed(given: argparse.Namespace, rows: list[dict[str, Any]], folder: Path, seed: int) -> tuple[Any, Any]:
    """The single model and the ensemble of one seed."""
    draw = np.random.default_rng(seed)
    noisy = [flipped(row, draw) for row in rows]
    cut = len(noisy) * 17 // 20
    parts = (("train", noisy[:cut]), ("held", noisy[cut:]))
    data = {name: written(folder, f"{name}-{seed}", part) for name, part in parts}
    return tuple(trained(given, data, folder / f"{seed}-{count}", seed, count) for count in (1, given.members))


def centred(values: np.ndarray) -> np.ndarray:
    """Every head's rewards minus their mean, which no comparison decides."""
    return values - values.reshape(-1, values.shape[-1]).mean(axis=0)


def best_of_n(rewards: list[Mapping[str, np.ndarray]], gold: np.ndarray) -> list[dict[str, Any]]:
    """For each N and rule the gold reward with its interval, and its difference to the single head."""
    found = []
    for size in SIZES:
        cells = {name: np.array([best_of(each[name], gold, size) for each in rewards]) for name in rewards[0]}
        ceiling = np.tile(best_of(gold, gold, size), (len(rewards), 1))
        for name, values in {**cells, "gold itself": ceiling}.items():
            found.append({
                "n": size, "rule": name, "gold": float(values.mean()), "interval": interval(values),
                "difference": float((values - cells["single"]).mean()),
                "difference_interval": interval(values - cells["single"]),
            })  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--judged", type=int, default=40)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    started = time.process_time()
    rows = [to_row(record) for record in generate(given.prompts, seed=1).records]
    judged = generate(given.judged, responses_per_prompt=SIZES[-1], seed=2)
    gold, seen = np.array(judged.gold), []
    with TemporaryDirectory() as place:
        models = [one_seed(given, rows, Path(place), seed) for seed in range(given.seeds)]
        read = features_of(models[0][0], judged.records).astype(np.float64)
        for single, ensemble in models:
            own = single.network.head.weight.detach().double().numpy()[0]
            seen.append((read @ own, centred(read @ ensemble.head.weights.double().numpy().T)))
    accuracies = [disagreement_of(margins(values[..., None], gold)).accuracies[0] for values, _ in seen]
    content = {
        "settings": {key: value for key, value in vars(given).items() if key != "output"} | {"noise": NOISE},
        "single_accuracy": accuracies,
        "best_of_n": best_of_n([rules(single, members) for single, members in seen], gold),
        "disagreement": [disagreement_of(margins(members, gold)).to_json() for _, members in seen],
        "cpu_seconds": time.process_time() - started,
    }
    given.output.write_text(json.dumps(content, indent=1) + "\n")
    for row in content["best_of_n"]:
        low, high = row["difference_interval"]
        against = f"minus single {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
        print(f"N {row['n']:2} {row['rule']:14} {row['gold']:.3f}  {against}")
    for found in content["disagreement"]:
        print(f"AUROC {found['auroc']:.3f} {found['auroc_ci']}, margin {found['auroc_margin']:.3f}, n {found['n']}")


if __name__ == "__main__":
    main()
