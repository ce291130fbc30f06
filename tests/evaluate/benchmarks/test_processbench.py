"""ProcessBench's rule against values by hand."""

import numpy as np
import pytest

from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.processbench import processbench
from rewardsmith.evaluate.benchmarks.scores import measured, value_of

NAN = float("nan")


def made(*rows):
    """(subset, values of the steps, first wrong step or -1) → items."""
    sizes = [len(values) for _, values, _ in rows]
    grades = [
        [1.0] * len(values) if label < 0 else [1.0] * label + [0.0] + [NAN] * (len(values) - label - 1)
        for _, values, label in rows
    ]
    none = np.zeros(0, dtype=np.int64)
    return BenchmarkItems(
        reward=np.concatenate([np.array(values, dtype=float) for _, values, _ in rows]),
        item=np.repeat(np.arange(len(rows)), sizes),
        grade=np.concatenate([np.array(each) for each in grades]),
        better=none,
        worse=none,
        subset=np.array([name for name, _, _ in rows]),
        part=np.array([""] * len(rows)),
        cluster=np.arange(len(rows)),
    )


def test_f1_is_the_harmonic_mean_by_subset_and_their_average_is_the_score():
    items = made(
        ("gsm8k", [1, -1, 2], 1),  # found
        ("gsm8k", [-1, -1], 1),  # found too early
        ("gsm8k", [1, 1, 1], -1),  # right
        ("math", [1, 1], 0),  # missed
        ("math", [1, -1], -1),  # wrongly accused
        ("omnimath", [-1], 0),  # found, but there is no correct solution in this subset
    )
    scores = processbench(items)
    found = {each.name: each.value for each in measured(scores.overall, items.cluster)}
    assert found["gsm8k/erroneous"] == 0.5
    assert found["gsm8k/correct"] == 1.0
    assert found["gsm8k"] == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert found["math"] == 0.0
    assert value_of(scores.overall) == pytest.approx((2 / 3 + 0) / 2)
    assert scores.missing == ("olympiadbench", "omnimath")


def test_the_interval_of_f1_is_that_of_the_delta_method():
    rng = np.random.default_rng(1)
    rows = [("math", [1.0, -1.0 if rng.random() < 0.7 else 1.0], 1) for _ in range(400)]
    rows += [("math", [1.0, 1.0 if rng.random() < 0.8 else -1.0], -1) for _ in range(300)]
    items = made(*rows)
    node = next(each for each in measured(processbench(items).overall, items.cluster) if each.name == "math")
    a, b = (
        np.mean([(values[1] < 0) == (label == 1) for _, values, label in part]) for part in (rows[:400], rows[400:])
    )
    slopes = 2 * b**2 / (a + b) ** 2, 2 * a**2 / (a + b) ** 2
    error = np.sqrt(slopes[0] ** 2 * a * (1 - a) / 400 + slopes[1] ** 2 * b * (1 - b) / 300)
    assert node.value == pytest.approx(2 * a * b / (a + b))
    assert (node.interval.high - node.interval.low) / 2 == pytest.approx(1.96 * error, rel=0.05)


def test_the_interval_of_f1_stays_within_0_and_1():
    rows = [("math", [1.0, -1.0 if k else 1.0], 1) for k in range(20)] + [("math", [1.0], -1)] * 20
    items = made(*rows)
    for node in measured(processbench(items).overall, items.cluster):
        assert 0 <= node.interval.low <= node.value <= node.interval.high <= 1
