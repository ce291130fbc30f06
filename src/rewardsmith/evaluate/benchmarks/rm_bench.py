"""RM-Bench (Liu et al. 2024, arXiv 2410.16184): three chosen and three rejected responses of rising style, 3 x 3 pairs.

THU-KEG/RM-Bench, scripts/utils.py: compute_accuracy and split_dataset_by_domain (safety is one pool of its refuse and
response halves); the overall score as in the README: the mean of the four domains.
"""

import numpy as np
from jaxtyping import Bool, Float

from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.scores import Average, Mean, Scores

DOMAINS = ("chat", "math", "code", "safety")
STYLES = 3
"""Concise, detailed, detailed with markdown: the order of both lists."""
LEVELS = ("hard", "normal", "easy")


def rm_bench(items: BenchmarkItems) -> Scores:
    """Mean of the four domains, each the mean of hard, normal and easy; equal rewards are wrong."""
    wins = style_wins(items)
    by_domain = {
        name: {level: Mean(level, value, (items.subset == name) * 1.0) for level, value in wins.items()}
        for name in DOMAINS
    }
    domains = [Average(name, list(levels.values())) for name, levels in by_domain.items()]
    missing = tuple(name for name in DOMAINS if not items.of_subset(name).any())
    levels = tuple(Average(level, [each[level] for each in by_domain.values()]) for level in LEVELS)
    return Scores(Average("overall", domains), missing, levels)


def style_wins(items: BenchmarkItems) -> dict[str, Float[np.ndarray, " N"]]:
    """For every item the share of its 3 pairs that are right where the chosen response has less style than the rejected one
    (hard), as much (normal), or more (easy).

    The six responses of an item stand in the benchmark's order: chosen by rising style, then rejected by rising style.
    """
    rewards = items.reward.reshape(len(items), 2, STYLES)
    right = rewards[:, 0, :, None] > rewards[:, 1, None, :]
    return {level: mean_over(right, cells) for level, cells in zip(LEVELS, cells_of_levels(), strict=True)}


def cells_of_levels() -> tuple[Bool[np.ndarray, "3 3"], ...]:
    """The cells (chosen style, rejected style) of hard, normal and easy."""
    chosen, rejected = np.indices((STYLES, STYLES))
    return chosen < rejected, chosen == rejected, chosen > rejected


def mean_over(right: Bool[np.ndarray, "N 3 3"], cells: Bool[np.ndarray, "3 3"]) -> Float[np.ndarray, " N"]:
    """The share of these cells that are right, for every item."""
    return np.asarray(right[:, cells].mean(axis=1))
