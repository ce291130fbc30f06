"""The figures of one row of a result: an accuracy, and its difference from a base on the same comparisons."""

from typing import Any

import numpy as np

from rewardsmith.evaluate.paired import compare_margins

RESAMPLES = 2000


def figures(margin: np.ndarray, base: np.ndarray, cluster: np.ndarray, *, minus: str) -> dict[str, Any]:
    """Accuracy and difference with 95 % intervals by `cluster`; the difference stands under the name `minus`."""
    ones, rng = np.ones(len(margin)), np.random.default_rng(0)
    absolute = compare_margins(margin, margin * 0, preference=ones, cluster=cluster, rng=rng)
    paired = compare_margins(margin, base, preference=ones, cluster=cluster, rng=rng)
    return {
        "accuracy": 0.5 + absolute.difference,
        "accuracy_ci": [0.5 + absolute.interval.low, 0.5 + absolute.interval.high],
        minus: paired.difference,
        f"{minus}_ci": [paired.interval.low, paired.interval.high],
    }


def interval(difference: np.ndarray, prompt: np.ndarray) -> list[float]:
    """A 95 % interval of the mean, prompts drawn with replacement."""
    draw, groups = np.random.default_rng(0), np.unique(prompt)
    sums = np.array([difference[prompt == g].sum() for g in groups])
    counts = np.array([(prompt == g).sum() for g in groups])
    picks = draw.integers(0, len(groups), (RESAMPLES, len(groups)))
    return np.quantile(sums[picks].sum(axis=1) / counts[picks].sum(axis=1), [0.025, 0.975]).tolist()
