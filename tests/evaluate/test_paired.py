import math

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from rewardsmith.errors import DataError
from rewardsmith.evaluate.inference.significance import ENUMERATED
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.evaluate.statistics import binomial_p_value, sign_flip_p_value


def outcomes(both, first, second, neither):
    """Margins of two models by how many comparisons each ranks right."""
    one = np.repeat([1.0, 1.0, -1.0, -1.0], [both, first, second, neither])
    two = np.repeat([1.0, -1.0, 1.0, -1.0], [both, first, second, neither])
    return one, two


def compare(one, two, *, cluster=None, seed=0, **more):
    cluster = np.arange(one.size) if cluster is None else cluster
    more = {"preference": np.ones(one.size), **more}
    return compare_margins(one, two, cluster=cluster, rng=np.random.default_rng(seed), **more)


def test_mcnemar_by_hand():
    # 8 comparisons only the first gets right, 2 only the second: 2 (1 + 10 + 45) / 1024 = 0.109375.
    found = compare(*outcomes(70, 8, 2, 20))
    assert (found.p_value, found.test) == (pytest.approx(0.109375), "mcnemar")
    assert (found.only_first, found.only_second, found.flipped, found.n) == (8, 2, 10, 100)
    assert found.difference == pytest.approx(0.06)
    # With one flip added each way: sqrt((12 / 102 - (6 / 102)^2) / 102) = 0.0335.
    assert found.interval.standard_error == pytest.approx(0.0335, rel=0.01)
    assert found.minimal_detectable == pytest.approx(2.8016 * 0.0335, rel=0.01)
    # A fifth of that error needs 25 times the prompts: 100 (0.09386 / 0.02)^2 = 2,202.
    assert found.prompts == 100
    assert found.prompts_needed["0.02"] == pytest.approx(2202, rel=0.02)


def test_the_binomial_test_agrees_with_scipy():
    for k, n in ((0, 5), (3, 9), (40, 61), (10, 20)):
        assert binomial_p_value(k, n) == pytest.approx(binomtest(k, n).pvalue)
    assert binomial_p_value(0, 0) == 1.0


def test_swapping_the_models_negates_the_difference():
    one, two = outcomes(30, 12, 5, 9)
    there, back = compare(one, two), compare(two, one)
    assert there.difference == -back.difference
    assert there.p_value == back.p_value
    assert there.interval.low == pytest.approx(-back.interval.high, abs=0.01)


def test_a_model_against_itself():
    one, _ = outcomes(30, 12, 5, 9)
    found = compare(one, one)
    assert (found.difference, found.p_value, found.flipped) == (0.0, 1.0, 0)
    assert found.interval.low == -found.interval.high
    assert 0.01 < found.interval.high < 0.06


def test_comparisons_on_one_prompt_are_not_counted_as_independent():
    one, two = outcomes(0, 40, 10, 0)
    alone = compare(one, two)
    together = compare(one, two, cluster=np.arange(50) // 10)
    assert alone.p_value < 0.001
    # Five prompts: sums 10, 10, 10, 10, -10; McNemar's exact test of 4 to 1: 2 (1 + 5) / 32 = 0.375.
    assert together.p_value == pytest.approx(0.375)


def test_sign_flips_of_unequal_clusters_agree_with_scipy():
    gain, cluster = np.array([1.0, 1, 1, 1, -1, 1, 0, 1, 1, -1, -1]), np.array([0, 0, 0, 1, 2, 3, 3, 4, 4, 5, 5])
    p_value, test = sign_flip_p_value(gain, np.ones(11), cluster=cluster, rng=np.random.default_rng(0))
    sums = np.bincount(cluster, gain)
    oracle = permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf, random_state=0)
    assert (p_value, test) == (pytest.approx(oracle.pvalue), "sign_flip_exact")


def test_sampled_sign_flips_come_near_the_exact_ones():
    rng = np.random.default_rng(5)
    sums = rng.normal(0.4, 1, ENUMERATED)
    exact, _ = sign_flip_p_value(sums, np.ones(sums.size), cluster=np.arange(sums.size), rng=rng)
    # One more cluster with a gain of next to nothing forces sampling and leaves the p-value where it is.
    more = np.append(sums, 1e-6)
    sampled, test = sign_flip_p_value(more, np.ones(more.size), cluster=np.arange(more.size), rng=rng)
    assert test == "sign_flip"
    assert sampled == pytest.approx(exact, abs=0.02)


def test_no_difference_is_found_as_often_as_the_level_says():
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(400):
        size = rng.integers(1, 4, 12)
        cluster = np.repeat(np.arange(12), size)
        gain = np.repeat(rng.choice([-1.0, 0.0, 1.0], 12), size)
        hits += sign_flip_p_value(gain, np.ones(gain.size), cluster=cluster, rng=rng)[0] <= 0.05
    assert hits / 400 <= 0.075


def test_label_ties_and_zero_weights_are_left_out():
    one, two = outcomes(5, 3, 1, 1)
    preference, weight = np.ones(10), np.ones(10)
    preference[5], weight[6] = 0.5, 0.0
    assert compare(one, two, preference=preference, weight=weight).only_first == 1


def test_predicted_ties_are_half_right():
    found = compare(np.array([0.0, 1.0]), np.array([-1.0, 1.0]))
    assert found.difference == pytest.approx(0.25)


def test_nothing_to_compare():
    nothing = np.zeros(0)
    found = compare(nothing, nothing, cluster=np.zeros(0, dtype=int))
    assert found.n == 0
    assert math.isnan(found.difference)
    assert math.isnan(found.p_value)


def test_margins_that_are_not_numbers_are_refused():
    with pytest.raises(DataError, match="1 margins of the second model are NaN"):
        compare(np.ones(2), np.array([1.0, np.nan]))
