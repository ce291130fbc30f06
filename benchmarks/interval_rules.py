"""Two other rules for 95 % intervals beside the one in use: how often each contains the truth, and how wide it is.

    python benchmarks/interval_rules.py [--kinds accuracy] [--prompts 5 10] [--repeats 2000] [--output FILE]

The situations are those of `coverage.py` with within-prompt correlations of 0.6 and 0.9 besides, accuracies of 0.97 and 0.99
(`few_errors`), and a difference whose flips all go to one model (`one_sided`). All repetitions of one are drawn at once, as
counts by prompt; `in_use` is checked against `rewardsmith.evaluate.statistics` row by row before anything is simulated.

- before (up to 0.7): the intraclass correlation over the variance of all rows, drawn half way to 1 at three telling prompts,
  of which there were 4 v times as many as prompts, v the variance with the added observations
- score (shares only): the standard error of Wilson's score interval with Student's quantile t, sqrt(n v + t^2 / 4) /
  (n + t^2), v the variance and n the effective number of comparisons: without the part that Agresti and Coull's has for the
  shifted centre
"""

import argparse
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from rewardsmith.evaluate.inference.clustered import (
    ADDED_TO_DIFFERENCE,
    ADDED_TO_SHARE,
    TELLING,
    TELLING_OF_RARE,
    UNEVEN,
)
from rewardsmith.evaluate.statistics import DIFFERENCE, SHARE, clustered_mean

GRID, HIGHER = (0.0, 0.3), (0.6, 0.9)
LEVELS = {
    "accuracy": (0.6, 0.8, 0.95),
    "few_errors": (0.97, 0.99),
    "paired": (0.05, 0.3),
    "one_sided": (0.05, 0.3),
}
SHARES = ("accuracy", "few_errors")
TO_THE_FIRST = {"paired": 0.75, "one_sided": 1.0}
HALF_WAY_BEFORE = 3.0
LOWEST, HIGHEST = 0.935, 0.975
TINY = 1e-12
Ends = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Sample:
    """Rows of values -1, 0 or 1 by repetition and prompt: how many, and how many of them are 1 and -1."""

    rows: np.ndarray
    ones: np.ndarray
    minus: np.ndarray
    bounds: tuple[float, float]

    @property
    def added(self) -> float:
        """Observations that the rule in use adds."""
        return ADDED_TO_SHARE if self.bounds == SHARE else ADDED_TO_DIFFERENCE


@dataclass(frozen=True)
class Moments:
    """What the intervals need of each repetition; `worst` and `best` as in `ClusteredRows`."""

    mean: np.ndarray
    variance: np.ndarray
    worst: np.ndarray
    best: np.ndarray
    alike: np.ndarray
    alike_before: np.ndarray
    several: np.ndarray
    telling: np.ndarray
    half_way: np.ndarray
    between: np.ndarray


def drawn(kind: str, rows: np.ndarray, level: float, correlation: float, rng: np.random.Generator) -> Sample:
    """A comparison takes its prompt's number with probability sqrt(correlation), else one of its own."""
    common = rng.binomial(rows, math.sqrt(correlation))
    number = rng.random(rows.shape)
    if kind in SHARES:
        ones = rng.binomial(rows - common, level) + common * (number < level)
        return Sample(rows, ones, np.zeros_like(ones), SHARE)
    more, less = TO_THE_FIRST[kind] * level, (1 - TO_THE_FIRST[kind]) * level
    plus = rng.binomial(rows - common, more)
    minus = rng.binomial(rows - common - plus, less / (1 - more))
    shared = (number >= more) & (number < level)
    return Sample(rows, plus + common * (number < more), minus + common * shared, DIFFERENCE)


def moments(sample: Sample) -> Moments:
    """Sums over prompts, as `clustered_mean` takes them over rows of weight 1."""
    rows, total = sample.rows, sample.rows.sum(1)
    mean = (sample.ones - sample.minus).sum(1) / total
    variance = (sample.ones + sample.minus).sum(1) / total - mean**2
    centre, zeros = mean[:, None], rows - sample.ones - sample.minus
    sums = sample.ones - sample.minus - rows * centre
    own = sample.ones * (1 - centre) ** 2 + sample.minus * (1 + centre) ** 2 + zeros * centre**2
    worst, best, several = (rows**2).sum(1) / total**2, 1 / total, rows > 1
    positive = np.maximum(variance, TINY)
    products = np.where(several, (sums**2 - own) / rows, 0).sum(1)
    pairs = np.maximum(np.where(several, rows - 1, 0).sum(1), TINY)
    squares = np.where(several, own, 0)
    possible = (squares * (rows - 1) / rows).sum(1)
    share = np.maximum(1 - rows / total[:, None], TINY)
    between = (sums**2 / share).sum(1) / total**2 / positive
    cubes = np.stack([
        sample.ones.sum(1) * (1 - mean) ** 3, -sample.minus.sum(1) * (1 + mean) ** 3, -zeros.sum(1) * mean**3
    ])  # fmt: skip
    lean = cubes.sum(0) / np.maximum(np.abs(cubes).sum(0), TINY)

    def corrected(alike: np.ndarray) -> np.ndarray:
        return np.clip((alike + best) / (1 - worst + best), 0, 1)

    return Moments(
        mean,
        variance,
        worst,
        best,
        np.where(possible > TINY, corrected(products / np.maximum(possible, TINY)), 1.0),
        corrected(products / pairs / positive),
        several.sum(1),
        np.sqrt(squares).sum(1) ** 2 / np.maximum(squares.sum(1), TINY),
        TELLING + TELLING_OF_RARE * lean**2,
        between,
    )


def with_added(n: np.ndarray, of: Moments, sample: Sample) -> Ends:
    """Centre and standard deviation with the observations added."""
    (low, high), added = sample.bounds, sample.added
    square = of.variance + of.mean**2
    centre = (n * of.mean + added * (low + high) / 2) / (n + added)
    second = (n * square + added * (low**2 + high**2) / 2) / (n + added)
    return centre, np.sqrt(np.maximum(0, second - centre**2))


def effective(of: Moments, alike: np.ndarray, caution: np.ndarray) -> np.ndarray:
    """The effective number of comparisons with the correlation `alike`, drawn towards 1 by the share `caution`."""
    correlation = alike + (1 - alike) * caution
    modelled = correlation * of.worst + (1 - correlation) * of.best
    found = np.minimum(of.worst, np.maximum(of.best, np.maximum(modelled, of.between / UNEVEN)))
    unknown = (of.variance < TINY) | (of.several == 0) | (correlation == 1)
    return 1 / np.where(unknown, of.worst, found)


def effective_in_use(of: Moments) -> np.ndarray:
    """The effective number of the rule in use."""
    return effective(of, of.alike, 1 / (1 + (of.telling / of.half_way) ** 2))


def cut(centre: np.ndarray, half: np.ndarray, of: Moments, sample: Sample) -> Ends:
    """Ends within the bounds, around the value."""
    low, high = sample.bounds
    return np.minimum(of.mean, np.maximum(low, centre - half)), np.maximum(of.mean, np.minimum(high, centre + half))


def added(n: np.ndarray, of: Moments, sample: Sample) -> Ends:
    """The interval with a few observations added and this effective number."""
    centre, spread = with_added(n, of, sample)
    return cut(centre, stdtrit(n, 0.975) * spread / np.sqrt(n + sample.added), of, sample)


def in_use(sample: Sample) -> Ends:
    """The rule of `rewardsmith.evaluate.statistics`."""
    of = moments(sample)
    return added(effective_in_use(of), of, sample)


def before(sample: Sample) -> Ends:
    """The rule up to 0.7."""
    of = moments(sample)
    told = np.minimum(1, 4 * with_added(1 / of.worst, of, sample)[1] ** 2) * of.several
    return added(effective(of, of.alike_before, 1 / (1 + (told / HALF_WAY_BEFORE) ** 2)), of, sample)


def score(sample: Sample) -> Ends:
    """Wilson's interval with the effective number and Student's quantile."""
    of = moments(sample)
    n = effective_in_use(of)
    low, high = sample.bounds
    t = stdtrit(n, 0.975)
    centre = (n * of.mean + t**2 * (low + high) / 2) / (n + t**2)
    half = t * np.sqrt(n * of.variance + t**2 * (high - low) ** 2 / 4) / (n + t**2)
    return cut(centre, half, of, sample)


def rules_for(kind: str) -> dict[str, Callable[[Sample], Ends]]:
    """The rules that can be compared; Wilson's is for shares."""
    found = {"in_use": in_use, "before": before}
    return {**found, "score": score} if kind in SHARES else found


def difference_from_the_package() -> float:
    """The largest difference of an end from that of `clustered_mean`, over a few samples."""
    rng, largest = np.random.default_rng(0), 0.0
    for kind, level in (("accuracy", 0.95), ("paired", 0.3)):
        sample = drawn(kind, sizes(40, 10, True, 5, rng), level, 0.3, rng)
        low, high = in_use(sample)
        for k in range(5):
            value = np.concatenate([
                np.repeat([1.0, -1.0, 0.0], [one, minus, rows - one - minus])
                for rows, one, minus in zip(sample.rows[k], sample.ones[k], sample.minus[k], strict=True)
            ])  # fmt: skip
            cluster = np.repeat(np.arange(40), sample.rows[k])
            found = clustered_mean(value, np.ones(value.size), cluster=cluster, bounds=sample.bounds).interval()
            largest = max(largest, abs(found.low - low[k]), abs(found.high - high[k]))
    return largest


def sizes(prompts: int, size: int, pareto: bool, repeats: int, rng: np.random.Generator) -> np.ndarray:
    """Comparisons of each prompt, as in `coverage.clusters_of`."""
    if not pareto:
        return np.full((repeats, prompts), size)
    return np.maximum(1, np.floor(size * (rng.pareto(1.5, (repeats, prompts)) + 1) / 3).astype(np.int64))


def cell(kind: str, prompts: int, size: int, pareto: bool, level: float, correlation: float, repeats: int) -> dict:
    """Coverage and mean width of each rule in one situation."""
    rng = np.random.default_rng([prompts, size, int(pareto), int(100 * level), int(100 * correlation)])
    sample = drawn(kind, sizes(prompts, size, pareto, repeats, rng), level, correlation, rng)
    truth = level if kind in SHARES else level * (2 * TO_THE_FIRST[kind] - 1)
    row: dict = {"kind": kind, "prompts": prompts, "size": size, "pareto": pareto, "level": level}
    row |= {"correlation": correlation, "repeats": repeats}
    for name, rule in rules_for(kind).items():
        low, high = rule(sample)
        row[name] = {
            "coverage": float(((low <= truth + TINY) & (truth - TINY <= high)).mean()),
            "width": round(float((high - low).mean()), 5),
        }
    return row


def table(rows: list[dict]) -> str:
    """By kind, prompts, correlations and rule: lowest and mean coverage, cells out of range, width over that before."""
    lines = [
        "| measured | prompts | correlation | rule | lowest | mean | below 93.5 % | above 97.5 % | width |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, prompts in dict.fromkeys((row["kind"], row["prompts"]) for row in rows):
        for correlations in (GRID, HIGHER):
            own = [
                row for row in rows
                if (row["kind"], row["prompts"]) == (kind, prompts) and row["correlation"] in correlations
            ]  # fmt: skip
            for rule in rules_for(kind):
                found = [row[rule]["coverage"] for row in own]
                width = np.mean([row[rule]["width"] / row["before"]["width"] for row in own])
                low, high = sum(value < LOWEST for value in found), sum(value > HIGHEST for value in found)
                which = " and ".join(f"{one:g}" for one in correlations)
                figures = f"{min(found):.3f} | {np.mean(found):.3f} | {low} | {high} | {width:.3f}"
                lines.append(f"| {kind} | {prompts:,} | {which} | {rule} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    """Check, simulate the chosen kinds, keep the others' results, write JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=list(LEVELS), choices=list(LEVELS))
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--prompts", nargs="+", type=int, default=[5, 10, 30, 100, 300])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "interval_rules.json")
    options = parser.parse_args()
    if (difference := difference_from_the_package()) > 1e-9:
        raise SystemExit(f"in_use differs from clustered_mean by {difference:.3g}; expected the same ends")
    rows = json.loads(options.output.read_text()) if options.output.is_file() else []
    for kind, prompts in itertools.product(options.kinds, options.prompts):
        rows = [row for row in rows if (row["kind"], row["prompts"]) != (kind, prompts)]
        for size, pareto, level, correlation in itertools.product(
            (1, 3, 10), (False, True), LEVELS[kind], GRID + HIGHER
        ):
            if size > 1 or pareto or correlation == 0:
                rows.append(cell(kind, prompts, size, pareto, level, correlation, options.repeats))
        options.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
