import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, ttest_1samp

from rewardsmith.evaluate import metrics
from rewardsmith.evaluate.statistics import (
    Interval,
    at_a_bound,
    auc_statistic,
    bootstrap_intervals,
    cluster_index,
    cluster_intervals,
    effective_size,
    jackknife_t_interval,
    minimal_detectable_difference,
    point_value,
    ratio_statistic,
    resampled_counts,
    wilson,
)


def mean_interval(value, cluster, *, seed=0, resamples=2000, bounds=None):
    index, clusters = cluster_index(cluster)
    return cluster_intervals(
        {"mean": ratio_statistic(value, np.ones(value.size), index=index)},
        clusters=clusters,
        rng=np.random.default_rng(seed),
        resamples=resamples,
        bounds={"mean": bounds} if bounds else None,
    )["mean"]


def clustered_coins(rng, clusters, size):
    """Outcomes with mean 0.7 whose chance differs from cluster to cluster, as prompts do."""
    chance = rng.beta(7 * 0.6, 3 * 0.6, clusters)
    return (rng.random((clusters, size)) < chance[:, None]).astype(float).ravel(), np.repeat(np.arange(clusters), size)


@pytest.mark.parametrize(("clusters", "repeats", "method"), [(40, 400, "bootstrap"), (6, 600, "t")])
def test_intervals_cover_the_truth_in_95_percent(clusters, repeats, method):
    rng = np.random.default_rng(clusters)
    hits, low = 0, 0
    for _ in range(repeats):
        value, cluster = clustered_coins(rng, clusters, 10)
        found = mean_interval(value, cluster, resamples=500, bounds=(0.0, 1.0))
        hits += 0.7 in found
        low += found.method == method
    assert low > 0.95 * repeats
    # The standard error of a coverage of 0.95 is 0.011 (400 repeats) and 0.009 (600).
    assert 0.915 <= hits / repeats <= 0.985


def test_ignoring_clusters_would_be_too_narrow():
    rng = np.random.default_rng(1)
    value, cluster = clustered_coins(rng, 40, 25)
    alone = mean_interval(value, np.arange(value.size))
    together = mean_interval(value, cluster)
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_a_t_interval_over_equal_clusters_is_students():
    value = np.array([0.2, 0.9, 0.4, 0.8, 0.5])
    student = ttest_1samp(value, 0.0).confidence_interval(0.95)
    found = mean_interval(value, np.arange(5))
    assert (found.low, found.high) == (pytest.approx(student.low), pytest.approx(student.high))
    assert (found.method, found.clusters, found.too_few) == ("t", 5, True)


def test_a_bootstrap_of_a_mean_has_its_normal_width():
    value = np.random.default_rng(2).normal(size=2000)
    found = mean_interval(value, np.arange(2000))
    assert found.standard_error == pytest.approx(value.std() / math.sqrt(2000), rel=0.06)
    assert found.high - found.low == pytest.approx(2 * 1.96 * value.std() / math.sqrt(2000), rel=0.08)


def test_the_same_generator_state_gives_the_same_interval():
    value, cluster = clustered_coins(np.random.default_rng(3), 50, 4)
    assert mean_interval(value, cluster, seed=4) == mean_interval(value, cluster, seed=4)
    assert mean_interval(value, cluster, seed=4) != mean_interval(value, cluster, seed=5)


def test_the_numbers_of_clusters_and_the_order_of_rows_do_not_matter():
    value, cluster = clustered_coins(np.random.default_rng(3), 50, 4)
    order = np.random.default_rng(0).permutation(value.size)
    moved = mean_interval(value[order], cluster[order] * 7 - 100)
    assert (moved.low, moved.high) == pytest.approx((lambda i: (i.low, i.high))(mean_interval(value, cluster)))


def test_all_right_is_not_certain():
    # Wilson's lower end for n of n is n / (n + z^2) = 20 / 23.8415 = 0.8389.
    found = mean_interval(np.ones(20), np.arange(20), bounds=(0.0, 1.0))
    assert (found.low, found.high, found.method) == (pytest.approx(0.8389, abs=1e-4), 1.0, "wilson")


def test_always_better_by_one_is_not_certain_either():
    found = mean_interval(np.ones(20), np.arange(20), bounds=(-1.0, 1.0))
    assert found.low == pytest.approx(2 * 0.8389 - 1, abs=2e-4)


def test_one_cluster_carries_no_interval_of_an_unbounded_number_and_a_wide_one_of_a_share():
    assert mean_interval(np.array([1.0, 2.0]), np.zeros(2, dtype=int)).method == "none"
    found = mean_interval(np.array([1.0, 0.0] * 50), np.zeros(100, dtype=int), bounds=(0.0, 1.0))
    assert found.low < 0.15
    assert found.high > 0.85


def test_no_data_give_no_interval():
    empty = ratio_statistic(np.zeros(0), np.zeros(0), index=np.zeros(0, dtype=int))
    found = cluster_intervals({"x": empty}, clusters=0, rng=np.random.default_rng(0))["x"]
    assert (found.method, found.clusters) == ("none", 0)
    assert math.isnan(found.low)
    assert at_a_bound(math.nan, 0, (0.0, 1.0)) is None


def test_one_of_two_says_nearly_nothing():
    found = wilson(0.5, 2)
    assert (found.low, found.high) == (pytest.approx(0.0945, abs=1e-3), pytest.approx(0.9055, abs=1e-3))


@given(st.integers(1, 300), st.data())
def test_wilson_agrees_with_scipy(n, data):
    k = data.draw(st.integers(0, n))
    oracle = binomtest(k, n).proportion_ci(0.95, method="wilson")
    found = wilson(k / n, n)
    assert (found.low, found.high) == (pytest.approx(oracle.low, abs=1e-9), pytest.approx(oracle.high, abs=1e-9))


def test_a_statistic_on_counts_is_the_metric_on_repeated_clusters():
    rng = np.random.default_rng(6)
    cluster = np.array([3, 3, 5, 8, 8, 8])
    preferred, other = rng.integers(0, 4, 6).astype(float), rng.integers(0, 4, 6).astype(float)
    weight = rng.uniform(0.5, 2, 6)
    index, clusters = cluster_index(cluster)
    area = auc_statistic(preferred, other, weight=weight, index=index)
    share = ratio_statistic(metrics.correctness(preferred - other), weight, index=index)
    for counts in ([1, 1, 1], [2, 0, 1], [0, 3, 0]):
        row = np.repeat(np.arange(6), np.array(counts)[index])
        given_counts = np.array([counts], dtype=float)
        assert area(given_counts)[0] == pytest.approx(metrics.auc(preferred[row], other[row], weight=weight[row]))
        by_metric = metrics.accuracy(preferred[row] - other[row], np.ones(row.size), weight=weight[row])
        assert share(given_counts)[0] == pytest.approx(by_metric)
    assert point_value(area, clusters) == pytest.approx(metrics.auc(preferred, other, weight=weight))


def test_resamples_draw_as_many_clusters_as_there_are():
    blocks = list(resampled_counts(1000, 4500, rng=np.random.default_rng(0)))
    counts = np.concatenate(blocks)
    assert len(blocks) > 1
    assert counts.shape == (4500, 1000)
    assert (counts.sum(axis=1) == 1000).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(1000), abs=0.1)


def test_resamples_without_a_defined_value_do_not_enter():
    statistic = ratio_statistic(np.array([1.0, 0.0]), np.array([1.0, 0.0]), index=np.array([0, 1]))
    found = bootstrap_intervals({"x": statistic}, clusters=2, rng=np.random.default_rng(0), resamples=100)["x"]
    assert (found.low, found.high) == (1.0, 1.0)
    assert jackknife_t_interval(statistic, 2).method == "none"


def test_effective_size():
    assert effective_size(np.full(8, 0.3)) == pytest.approx(8)
    assert effective_size(np.array([1.0, 3.0])) == pytest.approx(16 / 10)
    assert effective_size(np.zeros(0)) == 0.0


def test_the_detectable_difference_is_found_with_its_power():
    found = minimal_detectable_difference(1.0)
    assert found == pytest.approx(2.8016, abs=1e-4)
    assert norm.sf(norm.ppf(0.975) - found) == pytest.approx(0.8)


def test_two_thousand_resamples_of_ten_thousand_comparisons_are_quick():
    rng = np.random.default_rng(0)
    preferred, other = rng.normal(0.5, 1, 10_000), rng.normal(0, 1, 10_000)
    index, clusters = cluster_index(np.arange(10_000))
    statistics = {"accuracy": ratio_statistic(metrics.correctness(preferred - other), np.ones(10_000), index=index)}
    start = time.process_time()
    found = cluster_intervals(statistics, clusters=clusters, rng=rng)["accuracy"]
    # Under 1 s on one core; the limit leaves room for slow and busy machines.
    assert time.process_time() - start < 6
    assert isinstance(found, Interval)
