import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import stdtrit

from rewardsmith.evaluate.inference.clustered import half_way, telling_clusters
from rewardsmith.evaluate.statistics import (
    clustered_mean,
    gather_clusters,
    intraclass_correlation,
    paired_difference,
    unbounded_mean,
)


def alone(value, **more):
    """The mean of one comparison per prompt."""
    value = np.asarray(value, dtype=np.float64)
    return clustered_mean(value, np.ones(value.size), cluster=np.arange(value.size), **more)


def correlated(rng, sizes, share, correlation):
    """Outcomes with this mean, each pair of one prompt correlated as said: both copy the prompt's draw, or do not."""
    cluster = np.repeat(np.arange(sizes.size), sizes)
    copies = rng.random(cluster.size) < math.sqrt(correlation)
    draw = np.where(copies, rng.random(sizes.size)[cluster], rng.random(cluster.size))
    return (draw < share).astype(np.float64), cluster


def test_the_interval_of_a_share_by_hand():
    # 8 of 10, 3.8415 added: (8 + 1.9207) / 13.8415 = 0.71674, standard error sqrt(0.71674 0.28326 / 13.8415) = 0.12111, and
    # Student's quantile with 10 degrees of freedom is 2.2281.
    found = alone([1] * 8 + [0] * 2).interval()
    assert found.low == pytest.approx(0.71674 - 2.22814 * 0.12111, abs=2e-5)
    assert found.high == pytest.approx(0.71674 + 2.22814 * 0.12111, abs=2e-5)
    assert (found.clusters, found.method) == (10, "t")


def test_with_many_comparisons_it_is_the_normal_interval():
    value = np.repeat([1.0, 0.0], [60_000, 40_000])
    found = alone(value).interval()
    assert (found.low, found.high) == pytest.approx((0.6 - 1.96 * 0.00154919, 0.6 + 1.96 * 0.00154919), abs=1e-5)


def test_bonett_and_prices_interval_of_a_paired_difference():
    # 40 pairs, 6 only the first, 1 only the second, one added to each: (7 - 2) / 42, sqrt((9 / 42 - (5 / 42)^2) / 42).
    first, second = np.repeat([1.0, 0.0, 1.0], [6, 1, 33]), np.repeat([0.0, 1.0, 1.0], [6, 1, 33])
    found = paired_difference(first, second, np.ones(40), cluster=np.arange(40))
    assert found.value == pytest.approx(5 / 40)
    assert found.standard_error == pytest.approx(math.sqrt((9 / 42 - (5 / 42) ** 2) / 42))
    assert found.interval().low == pytest.approx(5 / 42 - float(stdtrit(40, 0.975)) * found.standard_error)


def test_no_flip_at_all_is_not_certain_equality():
    found = paired_difference(np.ones(50), np.ones(50), np.ones(50), cluster=np.arange(50)).interval()
    assert found.low < -0.03
    assert found.high > 0.03


def test_answers_of_one_prompt_that_are_all_alike_count_once():
    one = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0] * 5)
    copied = clustered_mean(np.repeat(one, 10), np.ones(400), cluster=np.repeat(np.arange(40), 10))
    assert copied.n == pytest.approx(40)
    assert copied.interval().low == pytest.approx(alone(one).interval().low)
    assert copied.interval().high == pytest.approx(alone(one).interval().high)


def test_independent_answers_of_many_prompts_count_nearly_each():
    rng = np.random.default_rng(0)
    value, cluster = correlated(rng, np.full(400, 10), 0.7, 0.0)
    assert clustered_mean(value, np.ones(4000), cluster=cluster).n == pytest.approx(4000, rel=0.12)


def test_a_known_correlation_is_found():
    # r = 0.25 and 10 rows each: 1 / n = (0.25 + 0.75 / 10) / 400.
    rng = np.random.default_rng(1)
    value, cluster = correlated(rng, np.full(400, 10), 0.7, 0.25)
    assert clustered_mean(value, np.ones(4000), cluster=cluster).n == pytest.approx(400 / 0.325, rel=0.15)


def test_right_answers_alone_do_not_show_that_wrong_ones_are_independent():
    value = np.ones(200)
    found = clustered_mean(value, np.ones(200), cluster=np.repeat(np.arange(20), 10))
    assert found.n == pytest.approx(20)
    assert 0.7 < found.interval().low < 0.85


def test_the_intraclass_correlation_by_hand():
    # Four prompts of two: right right, right right, right wrong, wrong wrong; residuals 3/8 and -5/8.
    # Products of two, 2 * 0.140625 - 0.234375 + 0.390625 = 0.4375, over half the summed squares, 1.875 / 2: 0.46667.
    # For the estimated mean: (0.46667 + 1/8) / (1 - 1/4 + 1/8) = 0.67619.
    value, cluster = np.array([1.0, 1, 1, 1, 1, 0, 0, 0]), np.repeat(np.arange(4), 2)
    residual, weight = value - 0.625, np.ones(8)
    squares = np.array([0.28125, 0.28125, 0.53125, 0.78125])
    # Roots 0.53033 (twice), 0.72887, 0.88388: 2.67341^2 / 1.875 = 3.8118 prompts tell.
    assert telling_clusters(squares) == pytest.approx(3.8118, abs=1e-4)
    # Cubes 5 * 0.052734 - 3 * 0.244141 = -0.46875 of 0.996094: 1 + 3 * 0.221453.
    assert half_way(residual, weight) == pytest.approx(1.66436, abs=1e-5)
    # Drawn to 1 by 1 / (1 + (3.8118 / 1.66436)^2) = 0.160124.
    found = intraclass_correlation(residual, weight, gather_clusters(weight, cluster))
    assert found == pytest.approx(0.67619 + 0.32381 * 0.160124, abs=1e-5)


def test_two_scattered_errors_do_not_show_that_errors_are_independent():
    cluster = np.repeat(np.arange(30), 10)
    few, many = np.ones(300), np.ones(300)
    few[[0, 10]] = 0.0
    many[::20] = 0.0
    few_n, many_n = (clustered_mean(value, np.ones(300), cluster=cluster).n for value in (few, many))
    assert few_n < 60
    assert many_n > 150


def test_flips_to_one_model_only_tell_less_than_flips_both_ways():
    cluster = np.repeat(np.arange(30), 10)
    one_way, both_ways = np.zeros(300), np.zeros(300)
    one_way[[0, 50, 100, 150]] = 1.0
    both_ways[[0, 50, 100, 150]] = 1.0, -1.0, 1.0, -1.0
    other = np.zeros(300)
    lone = paired_difference(one_way, other, np.ones(300), cluster=cluster)
    mixed = paired_difference(np.maximum(both_ways, 0), np.maximum(-both_ways, 0), np.ones(300), cluster=cluster)
    assert lone.n < 0.6 * mixed.n


def test_right_prompts_of_many_comparisons_do_not_hide_that_small_ones_are_wrong_as_a_whole():
    sizes = np.array([60] * 4 + [2] * 40)
    cluster = np.repeat(np.arange(44), sizes)
    value = np.ones(320)
    value[240:248] = 0.0  # four prompts of two
    weight = np.ones(320)
    residual = value - value.mean()
    assert intraclass_correlation(residual, weight, gather_clusters(weight, cluster)) > 0.8


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=40))
def test_all_right_is_exactly_one_whatever_the_weights(weights):
    found = clustered_mean(np.ones(len(weights)), np.array(weights), cluster=np.arange(len(weights)))
    assert (found.value, found.interval().high) == (1.0, 1.0)


def test_one_prompt_says_next_to_nothing():
    found = clustered_mean(np.array([1.0, 0.0] * 50), np.ones(100), cluster=np.zeros(100, dtype=int)).interval()
    assert (found.low, found.high) == (0.0, 1.0)


def test_large_prompts_that_differ_widen_the_interval():
    sizes = np.array([50, 50, 50, 50] + [2] * 100)
    cluster = np.repeat(np.arange(104), sizes)
    value = np.concatenate([np.ones(100), np.zeros(100), np.tile([1.0, 0.0], 100)])
    found = clustered_mean(value, np.ones(400), cluster=cluster)
    # Four prompts hold half of all rows. Their variance as it is, 4 (1/8)^2 / (1 - 1/8) = 1 / 14, and 1 / 17.5 of it counts.
    assert found.n == pytest.approx(17.5)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_order_scale_of_weights_and_names_of_prompts_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    value, cluster = correlated(rng, rng.integers(1, 6, 12), 0.8, 0.3)
    weight = rng.uniform(0.2, 3, value.size)
    order = rng.permutation(value.size)
    plain = clustered_mean(value, weight, cluster=cluster)
    moved = clustered_mean(value[order], 7 * weight[order], cluster=100 - 3 * cluster[order])
    assert moved.interval().low == pytest.approx(plain.interval().low)
    assert moved.n == pytest.approx(plain.n)
    mirrored = clustered_mean(1 - value, weight, cluster=cluster).interval()
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((plain.interval().low, plain.interval().high))


@given(st.integers(0, 10_000), st.floats(0.5, 0.999))
@settings(max_examples=40, deadline=None)
def test_the_interval_contains_the_value_and_grows_with_its_level(seed, level):
    rng = np.random.default_rng(seed)
    value, cluster = correlated(rng, rng.integers(1, 6, 9), 0.9, 0.3)
    found = clustered_mean(value, np.ones(value.size), cluster=cluster)
    wide, narrow = found.interval(level), found.interval(level - 0.1)
    assert wide.low <= narrow.low <= found.value <= narrow.high <= wide.high


@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_the_p_value_is_below_a_level_where_the_interval_leaves_the_value_out(seed, null):
    rng = np.random.default_rng(seed)
    value, cluster = correlated(rng, rng.integers(1, 6, 20), 0.7, 0.3)
    found = clustered_mean(value, np.ones(value.size), cluster=cluster)
    assert (found.p_value(null) < 0.05) == (null not in found.interval())


def test_rows_without_weight_play_no_part_even_if_not_a_number():
    value, weight = np.array([1.0, 0.0, 1.0, np.nan]), np.array([1.0, 1.0, 1.0, 0.0])
    assert clustered_mean(value, weight, cluster=np.arange(4)).interval() == alone([1, 0, 1]).interval()


def test_what_is_not_known_has_no_interval():
    for value in ([], [1.0, math.nan]):
        found = alone(value)
        assert math.isnan(found.value)
        assert (found.interval().method, math.isnan(found.p_value(0.5))) == ("none", True)


CELLS = [
    # prompts, comparisons of each (Pareto: at least one, on average so many), share, correlation
    (5, 1, False, 0.90, 0.0),
    (10, 10, False, 0.95, 0.3),
    (20, 10, False, 0.95, 0.6),
    (30, 10, False, 0.95, 0.6),
    (30, 10, False, 0.95, 0.9),
    (10, 10, False, 0.80, 0.9),
    (30, 5, True, 0.90, 0.3),
    (100, 3, True, 0.95, 0.9),
    (100, 5, True, 0.95, 0.1),
    (300, 10, False, 0.70, 0.3),
]


@pytest.mark.parametrize(("prompts", "size", "pareto", "share", "correlation"), CELLS)
def test_intervals_contain_the_truth_as_often_as_they_say(prompts, size, pareto, share, correlation):
    rng = np.random.default_rng(prompts)
    hits, repeats = 0, 800
    for _ in range(repeats):
        sizes = np.full(prompts, size)
        if pareto:
            sizes = np.maximum(1, (size * (rng.pareto(1.5, prompts) + 1) / 3).astype(int))
        value, cluster = correlated(rng, sizes, share, correlation)
        hits += share in clustered_mean(value, np.ones(value.size), cluster=cluster).interval()
    # The standard error of a coverage of 0.94 is 0.0084; the whole grid is in docs/metrics.md.
    assert hits / repeats >= 0.935 - 2 * 0.0084
    assert prompts < 100 or hits / repeats <= 0.975 + 2 * 0.0055


@pytest.mark.parametrize("correlation", [0.3, 0.6])
def test_a_model_that_only_ever_gains_is_not_thought_better_than_it_is(correlation):
    # Flips in 5 % of comparisons, all to the first model: where no prompt flips as a whole, n was 300 and not 30.
    rng = np.random.default_rng(3)
    hits, repeats = 0, 800
    for _ in range(repeats):
        first, cluster = correlated(rng, np.full(30, 10), 0.05, correlation)
        found = paired_difference(first, np.zeros(300), np.ones(300), cluster=cluster).interval()
        hits += 0.05 in found
    assert hits / repeats >= 0.935 - 2 * 0.0084


def test_a_mean_without_bounds_is_students_interval_and_moves_with_the_values():
    value = np.random.default_rng(0).normal(3.0, 2.0, 25)
    found = unbounded_mean(value, np.ones(25), cluster=np.arange(25)).interval()
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 24, value.mean(), stats.sem(value)))
    moved = unbounded_mean(10 * value - 7, np.ones(25), cluster=np.arange(25)).interval()
    assert (moved.low, moved.high) == pytest.approx((10 * found.low - 7, 10 * found.high - 7))


def test_a_mean_without_bounds_asks_for_three_telling_prompts_however_even_its_values():
    # Residuals +-1 that cancel in each of five prompts of two: the correlation found is 0, and all five tell.
    value, cluster = np.array([1.0, -1, 1, -1, 1, -1, 1, -1, 1, -1]), np.repeat(np.arange(5), 2)
    free = unbounded_mean(value, np.ones(10), cluster=cluster)
    bounded = clustered_mean(value, np.ones(10), cluster=cluster, bounds=(-1.0, 1.0))
    # 1 / (1 + (5 / 3)^2) = 9 / 34 and 1 / (1 + 5^2) = 1 / 26 of the way from 1 / 10 to 1 / 5.
    assert free.n == pytest.approx(1 / (0.1 + 0.1 * 9 / 34))
    assert bounded.n == pytest.approx(1 / (0.1 + 0.1 / 26))


def test_one_prompt_has_no_interval_of_a_mean_and_nothing_has_no_mean():
    one = unbounded_mean(np.array([1.0, 2.0]), np.ones(2), cluster=np.zeros(2, dtype=int))
    assert one.value == 1.5
    assert np.isnan(one.interval().low)
    assert np.isnan(unbounded_mean(np.zeros(0), np.zeros(0), cluster=np.zeros(0, dtype=int)).value)
    assert np.isnan(unbounded_mean(np.array([np.nan, 1.0]), np.ones(2), cluster=np.arange(2)).value)
