"""How often the intervals of an extrapolated learning curve contain the truth, for laws that the fit knows and others.

    python benchmarks/learning_curve.py [--repeats 500] [--output FILE]

Simulated: 200 to 3,200 training records in steps of two, three seeds each, all judged on the same 300 or 1,000 test
prompts, with one run's accuracy spread by 0.3 or 1 point over seeds (more at small sizes). Asked for is the gain from 3,200
to 6,400 and to 12,800 records. Writes results/learning_curve.json and prints the table of docs/metrics.md.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import norm

from rewardsmith.evaluate.statistics import LearningCurve, learning_curve

SIZES = np.array([200.0, 400.0, 800.0, 1600.0, 3200.0])
SEEDS, ALIKE, BOUND, DRAWS = 3, 0.6, 0.01, 500
FACTORS = (2, 4)
CONDITIONS = ((300, 0.01), (1000, 0.01), (1000, 0.003))
LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0.8 − 0.9 n^−0.35": lambda n: 0.8 - 0.9 * n**-0.35,
    "0.75 − 2 n^−0.5": lambda n: 0.75 - 2 * n**-0.5,
    "0.9 − 0.75 n^−0.15": lambda n: 0.9 - 0.75 * n**-0.15,
    "0.6, flat": lambda n: 0.6 + 0 * n,
    "0.75 − 0.25 exp(−n/800)": lambda n: 0.75 - 0.25 * np.exp(-n / 800),
    "0.5 + 0.25 / (1 + (1,500/n)^1.5), unknown": lambda n: 0.5 + 0.25 / (1 + (1500 / n) ** 1.5),
    "0.5 + 0.035 log(1 + n/50), unknown": lambda n: 0.5 + 0.035 * np.log1p(n / 50),
}


def simulated(
    law: Callable[[np.ndarray], np.ndarray], prompts: int, seed_sd: float, rng: np.random.Generator
) -> LearningCurve:
    """One curve: two runs are alike on a prompt (latent correlation ALIKE), seeds move a run's accuracy."""
    size = np.repeat(SIZES, SEEDS)
    level = law(size) + seed_sd * (SIZES[-1] / size) ** 0.25 * rng.normal(size=size.size)
    easy = rng.normal(size=prompts)
    number = np.sqrt(ALIKE) * easy + np.sqrt(1 - ALIKE) * rng.normal(size=(size.size, prompts))
    right = (number < norm.ppf(np.clip(level, 0.01, 0.99))[:, None]).astype(float)
    cluster = np.arange(prompts)
    return learning_curve(size.astype(int).tolist(), right, np.ones(prompts), cluster=cluster, rng=rng, draws=DRAWS)


def cell(name: str, prompts: int, seed_sd: float, repeats: int) -> dict[str, object]:
    """Coverage, width and what is said, over `repeats` curves."""
    law, rng = LAWS[name], np.random.default_rng([prompts, int(1000 * seed_sd), len(name)])
    refusals: Counter[str] = Counter()
    found: dict[int, list[tuple[bool, float, str]]] = {factor: [] for factor in FACTORS}
    for _ in range(repeats):
        curve = simulated(law, prompts, seed_sd, rng)
        if (refusal := curve.refusal()) is not None:
            refusals[refusal] += 1
            continue
        for factor in FACTORS:
            gain = curve.gain(int(factor * SIZES[-1]), bound=BOUND)
            truth = float(law(factor * SIZES[-1]) - law(SIZES[-1]))
            width = gain.interval.high - gain.interval.low
            found[factor].append((truth in gain.interval, width, gain.status))
    rows = {
        str(factor): {
            "truth": float(law(factor * SIZES[-1]) - law(SIZES[-1])),
            "coverage": float(np.mean([hit for hit, _, _ in answers])),
            "width": float(np.median([width for _, width, _ in answers])),
            "said": dict(Counter(status for _, _, status in answers)),
        }
        for factor, answers in found.items()
    }
    shown = {"law": name, "prompts": prompts, "seed_sd": seed_sd, "repeats": repeats}
    return {**shown, "refused": dict(refusals), "factors": rows}


def table(rows: list[dict]) -> str:
    """By law and factor: the lowest coverage over the conditions, and the median widths from narrow to wide."""
    lines = ["| truth | to | gain | coverage, lowest | width of the interval | refused |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys(row["law"] for row in rows):
        own = [row for row in rows if row["law"] == name]
        refused = max(sum(row["refused"].values()) / row["repeats"] for row in own)
        for factor in ("2", "4"):
            cells = [row["factors"][factor] for row in own]
            widths = sorted(100 * one["width"] for one in cells)
            lines.append(
                f"| {name} | ×{factor} | {100 * cells[0]['truth']:+.1f} | {min(one['coverage'] for one in cells):.3f} | "
                f"{widths[0]:.1f} to {widths[-1]:.1f} points | {refused:.1%} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Simulate, write JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=500)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "learning_curve.json")
    options = parser.parse_args()
    rows = [cell(name, *condition, options.repeats) for name in LAWS for condition in CONDITIONS]
    options.output.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
