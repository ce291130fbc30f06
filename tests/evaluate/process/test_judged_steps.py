"""Figures of steps against values by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rewardsmith.evaluate.process.steps import (
    ALL_CORRECT,
    UNKNOWN,
    JudgedSteps,
    area_under_curve,
    first_true,
    first_wrong,
    harmonic_mean,
    step_figures,
)

NAN = float("nan")


def test_the_first_step_of_each_solution():
    solution = np.array([0, 0, 0, 1, 2, 2])
    flag = np.array([False, True, True, False, True, True])
    assert first_true(flag, solution, 3).tolist() == [1, ALL_CORRECT, 0]
    label = np.array([1, 0, NAN, 1, NAN, 0])
    assert first_wrong(label, solution, 3).tolist() == [1, ALL_CORRECT, UNKNOWN]
    assert first_wrong(np.array([1.0, NAN]), np.array([0, 0]), 1).tolist() == [UNKNOWN]


def test_the_harmonic_mean():
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert np.isnan(harmonic_mean(NAN, 1.0))


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    value, correct = rng.integers(0, 6, 80).astype(float), rng.random(80) < 0.6  # with many ties
    assert area_under_curve(value, correct) == pytest.approx(roc_auc_score(correct, value))
    assert np.isnan(area_under_curve(value, np.ones(80, dtype=bool)))


def test_figures_by_hand():
    judged = JudgedSteps(
        value=np.array([2.0, -1.0, 0.5, 1.0, 1.0, 1.0, -1.0]),
        label=np.array([1.0, 0.0, NAN, 1.0, 1.0, 1.0, 0.0]),
        solution=np.array([0, 0, 0, 1, 1, 2, 2]),
        cluster=np.array([0, 1, 1]),
    )
    found = step_figures(judged)
    assert (found["n"], found["solutions"], found["accuracy"]) == (6, 3, 1.0)
    assert found["more_frequent_label"] == pytest.approx(4 / 6)
    assert found["auc_of_place"] == pytest.approx(
        7 / 8
    )  # wrong ones stand second; of the correct ones one of four does
    first = found["first_error"]
    assert (first["erroneous"]["accuracy"], first["correct"]["accuracy"], first["f1"]) == (1.0, 1.0, 1.0)
    worse = step_figures(JudgedSteps(np.full(7, -1.0), judged.label, judged.solution, judged.cluster))
    assert worse["accuracy"] == pytest.approx(2 / 6)
    assert (worse["first_error"]["erroneous"]["accuracy"], worse["first_error"]["f1"]) == (0.0, 0.0)
