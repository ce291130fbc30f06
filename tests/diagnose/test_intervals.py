import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rewardsmith.diagnose.intervals import Interval95, pairs_needed, unpaired_difference, wilson


def test_one_of_two_is_anything_from_9_to_91_percent():
    interval = wilson(0.5, 2)
    # z^2 = 3.8415: half width = 1.96 * sqrt(0.25/2 + 3.8415/16) / (1 + 3.8415/2) = 0.4055
    assert interval.low == pytest.approx(0.0945, abs=5e-5)
    assert interval.high == pytest.approx(0.9055, abs=5e-5)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_interval_is_scipys(n, share):
    right = round(share * n)
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    ours = wilson(right / n, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_newcombes_published_example():
    # Newcombe 1998, table II, row (a), method 10: 56/70 - 48/80 -> 0.0524, 0.3339
    interval = unpaired_difference(56 / 70, 70, 48 / 80, 80)
    assert (interval.low, interval.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(st.floats(0, 1), st.integers(1, 999), st.floats(0, 1), st.integers(1, 999))
def test_swapping_the_sides_turns_the_difference_around(a, n, b, m):
    one, other = unpaired_difference(a, n, b, m), unpaired_difference(b, m, a, n)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_half_the_difference_needs_four_times_the_pairs():
    assert pairs_needed(0.02, 0.04, 100) == pytest.approx(4 * pairs_needed(0.04, 0.04, 100), abs=4)
    # A difference equal to the half width is found in half of the repetitions; ((1.96 + 0.8416) / 1.96)^2 = 2.043.
    assert pairs_needed(0.04, 0.04, 100) == 205


def test_equal_things_cannot_be_told_apart_by_any_number():
    assert pairs_needed(0.0, 0.04, 100) is None


def test_an_interval_holds_its_ends():
    assert 0.2 in Interval95(0.2, 0.4)
    assert 0.41 not in Interval95(0.2, 0.4)
    assert Interval95(0.2, 0.4).half_width == pytest.approx(0.1)
