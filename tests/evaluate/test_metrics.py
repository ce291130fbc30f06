import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from rewardsmith.evaluate import metrics

margins = arrays(np.float64, st.integers(1, 30), elements=st.integers(-3, 3).map(float))


def ones(n):
    return np.ones(n)


def mean_of(values_of):
    """The mean over the prompts that have a value; NaN where none has one."""
    return lambda *arrays, **keys: metrics.mean_of_known(values_of(*arrays, **keys))


def test_two_right_one_tie_one_wrong_is_five_eighths():
    margin, preference = np.array([1.0, 2.0, 0.0, -1.0]), ones(4)
    assert metrics.accuracy(margin, preference) == 2.5 / 4
    assert metrics.win_rate(margin, preference) == 2 / 4
    assert metrics.tie_rate(margin, preference) == 1 / 4


def test_a_label_tie_is_left_out_of_accuracy_but_not_of_the_loss():
    margin, preference = np.array([1.0, -5.0]), np.array([1.0, 0.5])
    assert metrics.accuracy(margin, preference) == 1.0
    # -log sigma(1) = 0.31326; the tie costs (log(1+e^5) + log(1+e^-5)) / 2 = 2.506715
    assert metrics.nll(margin, preference) == pytest.approx((0.313262 + 2.506715) / 2, abs=1e-6)


def test_a_constant_model_is_a_coin():
    zero = np.zeros(7)
    assert metrics.accuracy(zero, ones(7)) == 0.5
    assert metrics.nll(zero, ones(7)) == pytest.approx(math.log(2))
    assert metrics.brier(zero, ones(7)) == 0.25
    assert metrics.auc(zero, zero) == 0.5


@pytest.mark.parametrize("metric", [metrics.accuracy, metrics.win_rate, metrics.tie_rate, metrics.nll, metrics.brier])
def test_nothing_and_not_a_number_give_nan(metric):
    assert math.isnan(metric(np.zeros(0), np.zeros(0)))
    assert math.isnan(metric(np.array([1.0, np.nan]), ones(2)))
    assert math.isnan(metric(np.array([1.0]), ones(1), weight=np.zeros(1)))


def test_weights_are_how_often_a_row_counts():
    margin, preference, weight = np.array([1.0, -1.0, 0.5]), np.array([1.0, 0.8, 0.6]), np.array([3.0, 1.0, 2.0])
    repeated = np.repeat(margin, [3, 1, 2]), np.repeat(preference, [3, 1, 2])
    for metric in (metrics.accuracy, metrics.nll, metrics.brier, metrics.win_rate):
        assert metric(margin, preference, weight=weight) == pytest.approx(metric(*repeated))


def test_huge_margins_cost_their_size_and_do_not_overflow():
    assert metrics.nll(np.array([-1e4]), ones(1)) == pytest.approx(1e4)
    assert metrics.nll(np.array([1e4]), ones(1)) == 0.0
    assert metrics.sigmoid(np.array([-800.0, 0.0, 800.0])).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_a_lead_of_log_three_means_three_in_four():
    assert metrics.sigmoid(np.array([math.log(3)]))[0] == pytest.approx(0.75)
    assert metrics.brier(np.array([math.log(3)]), ones(1)) == pytest.approx(1 / 16)


def test_the_loss_is_lowest_at_the_judges_share():
    share = np.array([0.75])
    losses = [metrics.nll(np.array([m]), share) for m in (math.log(3) - 0.1, math.log(3), math.log(3) + 0.1)]
    assert losses[1] == min(losses)


def test_loss_and_brier_agree_with_sklearn():
    rng = np.random.default_rng(0)
    margin = rng.normal(size=200)
    labels = rng.integers(0, 2, 200)
    signed = np.where(labels == 1, margin, -margin)
    p = metrics.sigmoid(margin)
    assert metrics.nll(signed, ones(200)) == pytest.approx(log_loss(labels, p))
    assert metrics.brier(signed, ones(200)) == pytest.approx(brier_score_loss(labels, p))


@given(margins)
def test_swapping_the_sides_mirrors_accuracy(margin):
    preference = ones(margin.size)
    assert metrics.accuracy(margin, preference) == pytest.approx(1 - metrics.accuracy(-margin, preference))
    wins, ties = metrics.win_rate(margin, preference), metrics.tie_rate(margin, preference)
    assert metrics.accuracy(margin, preference) == pytest.approx(wins + ties / 2)


@given(margins, st.integers(0, 99))
@settings(max_examples=40)
def test_auc_agrees_with_sklearn_with_ties_and_weights(preferred, seed):
    rng = np.random.default_rng(seed)
    other = rng.integers(-3, 4, preferred.size).astype(float)
    weight = rng.integers(1, 4, preferred.size).astype(float)
    oracle = roc_auc_score(
        np.repeat([1, 0], preferred.size), np.concatenate([preferred, other]), sample_weight=np.tile(weight, 2)
    )
    assert metrics.auc(preferred, other, weight=weight) == pytest.approx(oracle)


def test_auc_pools_over_prompts_and_so_differs_from_accuracy():
    # Right within each prompt, but the second prompt's rewards are all higher: 3 of 4 pooled pairs are right.
    preferred, other = np.array([1.0, 11.0]), np.array([0.0, 10.0])
    assert metrics.accuracy(preferred - other, ones(2)) == 1.0
    assert metrics.auc(preferred, other) == 0.75
    assert metrics.auc(preferred + 5, other + 5) == 0.75


def test_moments_divide_by_n():
    assert metrics.moments(np.array([1.0, 3.0])) == (2.0, 1.0)
    assert metrics.moments(np.array([1.0, 3.0]), weight=np.array([3.0, 1.0])) == (1.5, pytest.approx(math.sqrt(0.75)))


def test_a_perfect_ranking_has_tau_one_and_a_reversed_one_minus_one():
    rank, reward = np.array([1.0, 2.0, 3.0, 4.0]), np.array([9.0, 5.0, 2.0, -1.0])
    assert metrics.kendall_tau_b(-rank, reward) == 1.0
    assert metrics.kendall_tau_b(-rank, -reward) == -1.0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=12))
def test_tau_b_agrees_with_scipy(rows):
    quality, reward = np.array(rows, dtype=float).T
    assert metrics.kendall_tau_b(quality, reward) == pytest.approx(kendalltau(quality, reward).statistic, nan_ok=True)


def test_mean_tau_leaves_pairs_out_and_counts_constant_rewards_as_zero():
    group = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3])
    quality = np.array([3.0, 2, 1, 2, 1, 3, 2, 1, 1, 1, 1])
    reward = np.array([3.0, 2, 1, 1, 2, 5, 5, 5, 1, 2, 3])
    # Group 0: 1. Group 1 has two responses, group 3 nothing to rank. Group 2: constant rewards, 0.
    assert mean_of(metrics.kendall_values)(quality, reward, group=group) == 0.5
    assert math.isnan(mean_of(metrics.kendall_values)(quality[3:5], reward[3:5], group=group[3:5]))


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_tau_of_all_pairs_is_tau_of_the_ranking(seed):
    rng = np.random.default_rng(seed)
    quality, reward = rng.integers(0, 3, 5).astype(float), rng.integers(0, 4, 5).astype(float)
    rows = [(i, j) if quality[i] >= quality[j] else (j, i) for i in range(5) for j in range(i)]
    margin = np.array([reward[i] - reward[j] for i, j in rows])
    preference = np.array([0.5 if quality[i] == quality[j] else 1.0 for i, j in rows])
    by_pairs = mean_of(metrics.kendall_values_of_pairs)(
        margin, preference, group=np.zeros(10, dtype=int), responses=np.array(rows)
    )
    assert by_pairs == pytest.approx(
        mean_of(metrics.kendall_values)(quality, reward, group=np.zeros(5, dtype=int)), nan_ok=True
    )


def test_tau_of_pairs_needs_three_responses():
    one_pair = {"group": np.zeros(1, dtype=int), "responses": np.array([[0, 1]])}
    assert math.isnan(mean_of(metrics.kendall_values_of_pairs)(np.array([1.0]), ones(1), **one_pair))


def test_best_of_n_counts_prompts_with_one_best_response():
    group = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
    quality = np.array([1.0, 0, 0, 1, 0, 0, 1, 1, 0, 1])
    reward = np.array([2.0, 1, 0, 5, 5, 0, 1, 2, 3, 9])
    # Group 0 right, group 1 shares the top with one other (1/2), group 2 has two best, group 3 one response.
    assert metrics.best_of_n_accuracy(quality, reward, group=group) == 0.75
    assert metrics.best_of_n_accuracy(quality, np.zeros(10), group=group) == pytest.approx(1 / 3)


def test_groups_need_not_be_sorted():
    group = np.array([7, -1, 7, -1, 7])
    assert [rows.tolist() for rows in metrics.rows_by_group(group)] == [[1, 3], [0, 2, 4]]
    assert metrics.rows_by_group(np.zeros(0, dtype=int)) == []
