import numpy as np
import pytest
from statsmodels.nonparametric.smoothers_lowess import lowess as statsmodels_lowess

from rewardsmith.evaluate.corrections.smoothing import local_average, lowess, places_of


def noisy(n=150, seed=0, whole=False):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 40.0, n)
    x = np.round(x) if whole else x
    return x, np.sin(x / 60) + rng.normal(0, 0.3, n)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("passes", [0, 3])
def test_lowess_is_that_of_statsmodels(share, passes):
    x, y = noisy()
    at = np.sort(x)
    ours = lowess(x, y, at, share=share, passes=passes)
    theirs = statsmodels_lowess(y, x, frac=share, it=passes, delta=0.0, return_sorted=True)[:, 1]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_line_is_found_exactly():
    x = np.arange(60.0)
    assert lowess(x, 3 + 0.5 * x, x, share=0.3) == pytest.approx(3 + 0.5 * x)


def test_an_outlier_moves_a_robust_curve_less_than_its_neighbours_noise():
    x = np.arange(60.0)
    y = 3 + 0.5 * x + np.random.default_rng(0).normal(0, 0.1, 60)
    far = y.copy()
    far[30] += 100
    robust, plain = (lowess(x, far, x, share=0.5, passes=passes)[29] for passes in (3, 0))
    assert robust == pytest.approx(lowess(x, y, x, share=0.5)[29], abs=0.1)
    assert plain > robust + 3


def test_a_constant_added_to_the_values_is_added_to_the_curve_and_order_plays_no_part():
    x, y = noisy(whole=True)
    at = places_of(x)
    curve = lowess(x, y, at, share=0.4)
    assert lowess(x, y + 7, at, share=0.4) == pytest.approx(curve + 7)
    order = np.random.default_rng(1).permutation(x.size)
    assert lowess(x[order], y[order], at, share=0.4) == pytest.approx(curve)


def test_many_points_of_one_length_give_their_mean():
    x, y = np.array([5.0] * 40 + [9.0] * 40), np.array([1.0] * 40 + [2.0] * 40)
    assert lowess(x, y, np.array([5.0, 9.0]), share=0.25) == pytest.approx([1.0, 2.0])


def test_the_local_average_by_hand():
    x, y = np.array([1.0, 2.0, 3.0, 10.0]), np.array([1.0, 2.0, 6.0, 5.0])
    # Within 1 of 2: three points, mean 3. Within 1 of 10: itself alone; with at least two, 3 joins: (6 + 5) / 2.
    assert local_average(x, y, np.array([2.0, 10.0]), half_width=1.0, fewest=1) == pytest.approx([3.0, 5.0])
    assert local_average(x, y, np.array([10.0]), half_width=1.0, fewest=2) == pytest.approx([5.5])


def test_places_hold_both_ends():
    x = np.random.default_rng(0).normal(size=5000)
    at = places_of(x, most=50)
    assert (at.size, at[0], at[-1]) == (50, x.min(), x.max())
