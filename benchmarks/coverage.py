"""How often 95 % intervals contain the truth: accuracy, paired difference, gap of two groups, mean of rewards.

    python benchmarks/coverage.py [--kinds accuracy paired gap mean] [--prompts 3000] [--repeats 2000] [--output FILE]

Prompts 5 to 3,000 with 1, 3 or 10 comparisons each, or Pareto many (exponent 1.5, that mean, at least one); comparisons of
one prompt correlated 0 or 0.3. Simulated, so no data are needed; writes results/coverage.json and prints docs/metrics.md's
table.
"""

import argparse
import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rewardsmith.evaluate.statistics import clustered_mean, group_gap, paired_difference, unbounded_mean

PROMPTS = (5, 10, 30, 100, 300, 1000, 3000)
SIZES = (1, 3, 10)
CORRELATIONS = (0.0, 0.3)
LOWEST, HIGHEST, MANY = 0.935, 0.975, 100


@dataclass(frozen=True)
class Cell:
    """One simulated situation; `level` is the accuracy, or the share of flipped comparisons (paired)."""

    kind: str
    prompts: int
    size: int
    pareto: bool
    level: float
    correlation: float


def clusters_of(cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """The prompt of each comparison."""
    sizes = np.full(cell.prompts, cell.size)
    if cell.pareto:
        sizes = np.maximum(1, np.floor(cell.size * (rng.pareto(1.5, cell.prompts) + 1) / 3).astype(int))
    return np.repeat(np.arange(cell.prompts), sizes)


def draws(cluster: np.ndarray, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """A uniform number for each comparison, its prompt's with probability sqrt(correlation)."""
    shared = rng.random(cluster.size) < math.sqrt(correlation)
    return np.where(shared, rng.random(int(cluster.max()) + 1)[cluster], rng.random(cluster.size))


def accuracy_hit(cell: Cell, rng: np.random.Generator) -> bool:
    cluster = clusters_of(cell, rng)
    right = (draws(cluster, cell.correlation, rng) < cell.level).astype(np.float64)
    return cell.level in clustered_mean(right, np.ones(right.size), cluster=cluster).interval()


def paired_hit(cell: Cell, rng: np.random.Generator) -> bool:
    """The first model alone is right in 3/4 of the flips, the second alone in 1/4."""
    cluster = clusters_of(cell, rng)
    number = draws(cluster, cell.correlation, rng)
    first = (number < 0.75 * cell.level).astype(np.float64)
    second = ((number >= 0.75 * cell.level) & (number < cell.level)).astype(np.float64)
    return cell.level / 2 in paired_difference(first, second, np.ones(number.size), cluster=cluster).interval()


def gap_hit(cell: Cell, rng: np.random.Generator) -> bool:
    """A third of the comparisons, of any prompt, against the rest; both are right equally often."""
    cluster = clusters_of(cell, rng)
    one = rng.random(cluster.size) < 1 / 3
    one[:2] = True, False
    right = (draws(cluster, cell.correlation, rng) < cell.level).astype(np.float64)
    return 0.0 in group_gap(right, np.ones(right.size), cluster=cluster, one=one, other=~one).interval()


def mean_hit(cell: Cell, rng: np.random.Generator) -> bool:
    """A mean of rewards without bounds: normal (level 0), or exponential and so skewed (level 1)."""
    cluster = clusters_of(cell, rng)
    own, shared = rng.normal(size=cluster.size), rng.normal(size=cell.prompts)
    if cell.level:
        own, shared = rng.exponential(size=cluster.size) - 1, rng.exponential(size=cell.prompts) - 1
    value = math.sqrt(cell.correlation) * shared[cluster] + math.sqrt(1 - cell.correlation) * own
    return 0.0 in unbounded_mean(value, np.ones(value.size), cluster=cluster).interval()


HITS: dict[str, Callable[[Cell, np.random.Generator], bool]] = {
    "accuracy": accuracy_hit,
    "paired": paired_hit,
    "gap": gap_hit,
    "mean": mean_hit,
}
LEVELS = {"accuracy": (0.6, 0.8, 0.95), "paired": (0.05, 0.3), "gap": (0.7, 0.95), "mean": (0.0, 1.0)}


def cells(kind: str) -> Iterator[Cell]:
    """The grid; one comparison per prompt has no correlation."""
    for prompts, size, pareto, level, correlation in itertools.product(
        PROMPTS, SIZES, (False, True), LEVELS[kind], CORRELATIONS
    ):
        if size > 1 or pareto or correlation == 0:
            yield Cell(kind, prompts, size, pareto, level, correlation)


def coverage(cell: Cell, repeats: int) -> dict[str, object]:
    """How often the interval contains the truth; `error` is the Monte-Carlo standard error of a coverage of 95 %."""
    rng = np.random.default_rng([cell.prompts, cell.size, int(cell.pareto), int(100 * cell.level)])
    hits = sum(HITS[cell.kind](cell, rng) for _ in range(repeats))
    error = math.sqrt(0.95 * 0.05 / repeats)
    return {**asdict(cell), "repeats": repeats, "coverage": hits / repeats, "error": error}


def table(rows: list[dict]) -> str:
    """Lowest, mean and highest coverage by kind and number of prompts."""
    lines = [
        "| measured | prompts | cells | lowest | mean | highest | below 93.5 % | above 97.5 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, prompts in sorted({(row["kind"], row["prompts"]) for row in rows}):
        found = [row["coverage"] for row in rows if (row["kind"], row["prompts"]) == (kind, prompts)]
        wide = sum(value > HIGHEST for value in found) if prompts >= MANY else "–"
        low = sum(value < LOWEST for value in found)
        spread = f"{min(found):.3f} | {np.mean(found):.3f} | {max(found):.3f}"
        lines.append(f"| {kind} | {prompts:,} | {len(found)} | {spread} | {low} | {wide} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate the chosen kinds, keep the others' results, write JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=list(HITS), choices=list(HITS))
    parser.add_argument("--prompts", nargs="+", type=int, default=list(PROMPTS), choices=PROMPTS)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "coverage.json")
    options = parser.parse_args()
    rows = json.loads(options.output.read_text()) if options.output.is_file() else []
    for kind in options.kinds:
        rows = [row for row in rows if row["kind"] != kind or row["prompts"] not in options.prompts]
        rows += [coverage(cell, options.repeats) for cell in cells(kind) if cell.prompts in options.prompts]
        options.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
