"""How often something is found where nothing is, when comparisons of a prompt are alike.

    python benchmarks/nothing_to_find.py [--repeats 400] [--output FILE]

Two models that are equally good (each alone right in 10 % of comparisons), two runs of one recipe, two such runs against two
more, two groups of accuracy 0.95, and a calibrated model's ECE against its limit, for prompts of several comparisons with
correlations of 0, 0.6 and 0.9. Simulated; writes results/nothing_to_find.json and prints a table. Each share should be about
0.05 or less; its standard error is 1.1 points at 400 repetitions.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from coverage import draws
from rewardsmith.evaluate.calibration import ece
from rewardsmith.evaluate.inference.noise_floor import ece_noise_floor
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.evaluate.statistics import Interval, group_gap, paired_difference, seed_difference, sign_flip_p_value

PROMPTS = ((10, 10), (30, 10), (100, 3))
CORRELATIONS = (0.0, 0.6, 0.9)
ALONE = 0.1
RUN_ACCURACY, CHANGED_BY_SEED = 0.8, 0.2
GROUP_ACCURACY = 0.95
SPREAD, DRAWN_LABELS = 1.5, 150


def leaves_out_zero(interval: Interval) -> bool:
    return not interval.low <= 0 <= interval.high


def equal_models(cluster: np.ndarray, correlation: float, rng: np.random.Generator) -> dict[str, bool]:
    """By the interval, by flipped signs of prompts, and by both as `compare` does."""
    number, every = draws(cluster, correlation, rng), np.ones(cluster.size)
    first, second = (number < ALONE) * 1.0, ((number >= ALONE) & (number < 2 * ALONE)) * 1.0
    interval = leaves_out_zero(paired_difference(first, second, every, cluster=cluster).interval())
    flips = sign_flip_p_value(first - second, every, cluster=cluster, rng=rng)[0] < 0.05
    return {"interval": interval, "sign_flips": flips, "compare": interval and flips}


def equal_seeds(cluster: np.ndarray, correlation: float, rng: np.random.Generator) -> dict[str, bool]:
    """Runs of one recipe: a seed redraws a fifth of the comparisons."""
    recipe, every = draws(cluster, correlation, rng), np.ones(cluster.size)
    redrawn = [
        np.where(rng.random(cluster.size) < CHANGED_BY_SEED, draws(cluster, correlation, rng), recipe) for _ in range(4)
    ]
    runs = (np.array(redrawn) < RUN_ACCURACY).astype(np.float64)
    two = paired_difference(runs[0], runs[1], every, cluster=cluster).interval()
    four = seed_difference(runs[:2], runs[2:], every, cluster=cluster).interval()
    return {"two_seeds": leaves_out_zero(two), "two_against_two": leaves_out_zero(four)}


def equal_groups(cluster: np.ndarray, correlation: float, rng: np.random.Generator) -> dict[str, bool]:
    """A third of the comparisons against the rest."""
    one = rng.random(cluster.size) < 1 / 3
    one[:2] = True, False
    right = (draws(cluster, correlation, rng) < GROUP_ACCURACY).astype(np.float64)
    found = group_gap(right, np.ones(right.size), cluster=cluster, one=one, other=~one).interval()
    return {"gap": leaves_out_zero(found)}


def calibrated(cluster: np.ndarray, correlation: float, rng: np.random.Generator) -> dict[str, bool]:
    """The ECE of a calibrated model above its limit."""
    size = np.abs(rng.normal(0, SPREAD, cluster.size))
    margin = np.where(draws(cluster, correlation, rng) < sigmoid(size), size, -size)
    every = np.ones(margin.size)
    floor = ece_noise_floor(margin, every, rng=rng, cluster=cluster, draws=DRAWN_LABELS)
    return {"ece": ece(margin, every) > floor.limit}


KINDS: tuple[Callable[[np.ndarray, float, np.random.Generator], dict[str, bool]], ...] = (
    equal_models,
    equal_seeds,
    equal_groups,
    calibrated,
)


def main() -> None:
    """Simulate, write JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "nothing_to_find.json")
    options = parser.parse_args()
    rows: list[dict] = []
    for (prompts, size), correlation in ((one, two) for one in PROMPTS for two in CORRELATIONS):
        rng = np.random.default_rng([prompts, size, int(10 * correlation)])
        cluster = np.repeat(np.arange(prompts), size)
        found: dict[str, int] = {}
        for _ in range(options.repeats):
            for kind in KINDS:
                for name, hit in kind(cluster, correlation, rng).items():
                    found[name] = found.get(name, 0) + int(hit)
        shares = {name: hits / options.repeats for name, hits in found.items()}
        rows.append({"prompts": prompts, "size": size, "correlation": correlation, "repeats": options.repeats} | shares)
        if len(rows) == 1:
            print(
                "| prompts | of each | correlation | " + " | ".join(shares) + " |\n" + "|---" * (3 + len(shares)) + "|"
            )
        print(
            f"| {prompts} | {size} | {correlation} | " + " | ".join(f"{share:.1%}" for share in shares.values()) + " |",
            flush=True,
        )
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
