import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from rewardsmith.evaluate.statistics import Interval, benjamini_hochberg, equivalence, holm


def between(low, high):
    return Interval(low, high, "t", 10)


def test_holm_by_hand():
    # Ascending 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1: 0.04, 0.06, 0.06 (not below the one before), 0.5.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx((0.06, 0.04, 0.5, 0.06))
    assert holm([]) == ()


def test_what_was_not_tested_does_not_count():
    found = holm([0.02, math.nan, 0.9])
    assert found[0] == pytest.approx(0.04)
    assert math.isnan(found[1])
    assert benjamini_hochberg([0.02, math.nan, 0.9])[2] == pytest.approx(0.9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_and_hochberg_agree_with_scipy(values):
    assert benjamini_hochberg(values) == pytest.approx(tuple(false_discovery_control(values)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_no_more_than_benjamini_and_hochberg_and_no_less_than_bonferroni(values):
    for one, by_holm, by_rate in zip(values, holm(values), benjamini_hochberg(values), strict=True):
        assert min(1.0, one) - 1e-12 <= by_rate <= by_holm + 1e-12
        assert by_holm <= min(1.0, one * len(values)) + 1e-12


def test_found_excluded_or_cannot_tell():
    assert equivalence(between(0.02, 0.30), 0.1) == "found"
    assert equivalence(between(-0.30, -0.02), 0.1) == "found"
    assert equivalence(between(-0.005, 0.39), 0.1) == "inconclusive"
    assert equivalence(between(-0.04, 0.06), 0.1) == "excluded"
    assert equivalence(between(0.02, 0.06), 0.1) == "excluded"
    assert equivalence(between(math.nan, math.nan), 0.1) == "inconclusive"


def test_a_difference_at_the_bound_is_excluded_in_at_most_two_and_a_half_percent():
    rng = np.random.default_rng(0)
    drawn = rng.normal(0.1, 0.02, 4000)
    excluded = [equivalence(between(x - 1.96 * 0.02, x + 1.96 * 0.02), 0.1) == "excluded" for x in drawn]
    assert np.mean(excluded) < 0.025 + 3 * 0.0025
