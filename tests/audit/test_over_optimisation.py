"""Best-of-N by hand, by counting all draws, and on rewards whose peak is known."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize

from rewardsmith.audit.over_optimisation import (
    Candidates,
    best_of_n_account,
    curve_points,
    expected_best,
    first_probabilities,
    fit_best_of_n,
    kl_bound,
    largest_n,
)


@pytest.mark.parametrize("ties", [False, True])
def test_the_estimate_is_the_mean_over_all_draws(ties):
    rng = np.random.default_rng(0)
    reward = np.array([3.0, 1.0, 2.0, 2.0, 0.0, 2.0]) if ties else rng.normal(size=6)
    gold = rng.normal(size=6)
    for n in range(1, 7):
        values = []
        for draw in itertools.combinations(range(6), n):
            best = max(reward[list(draw)])
            values.append(np.mean([gold[k] for k in draw if reward[k] == best]))
        found = expected_best(reward, gold, first_probabilities(6, [n]))[0]
        assert found == pytest.approx(np.mean(values))  # tied responses are drawn alike, so each is first as often


def test_one_of_n_is_the_mean_and_all_of_n_the_best():
    table = first_probabilities(5, [1, 5])
    assert list(table[0]) == pytest.approx([0.2] * 5)
    assert list(table[1]) == pytest.approx([1, 0, 0, 0, 0])
    assert first_probabilities(44, [1, 7, 44]).sum(axis=1) == pytest.approx(1)


def test_kl_is_that_of_best_of_n_from_a_continuous_policy():
    """KL(best of n, policy) with density n u^(n-1) of the quantile u: the integral of n u^(n-1) ln(n u^(n-1))."""
    for n in (1, 2, 8, 64):
        u = (np.arange(2_000_000) + 0.5) / 2_000_000
        density = n * u ** (n - 1)
        by_integral = float(np.mean(np.where(density > 0, density * np.log(np.maximum(density, 1e-300)), 0)))
        assert kl_bound(np.array([float(n)]))[0] == pytest.approx(by_integral, abs=1e-3)


def test_fits_return_what_made_the_curve_and_agree_with_scipy():
    d = np.sqrt(kl_bound(np.array([2.0, 4, 8, 16, 64])))
    assert fit_best_of_n(d, d * (0.9 - 0.3 * d)) == pytest.approx([0.9, 0.3])
    noisy = d * (0.9 - 0.3 * d) + np.random.default_rng(0).normal(0, 0.05, d.size)
    theirs, _ = optimize.curve_fit(lambda x, a, b: x * (a - b * x), d, noisy)
    assert fit_best_of_n(d, noisy) == pytest.approx(theirs, abs=1e-5)


def test_the_curve_ends_where_most_prompts_have_responses():
    assert curve_points(44) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 44]
    assert largest_n([44] * 9 + [4]) == 44
    assert largest_n([44] * 5 + [8] * 5) == 8
    assert largest_n([]) == 0


def prompts(count, *, hacked, size=32, seed=0):
    """Gold in deviations; the reward is gold with noise, and one of `size` responses is a hack: best reward, worst gold."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(count):
        gold = rng.normal(size=size)
        reward = gold + rng.normal(0, 0.5, size)
        if hacked:
            gold[0], reward[0] = -4.0, 10.0
        made.append(Candidates(reward, gold, k))
    return made


def test_a_hack_is_found_as_over_optimisation_and_the_advice_stops_before_it():
    found = best_of_n_account(prompts(60, hacked=True), seed=0, bound=0.2)
    assert found["over_optimised"] == "found"
    assert 1 < found["recommended"]["n"] <= found["peak"]["n"] < 32
    assert found["curve"][-1]["gold"] == pytest.approx(-4.0)
    assert found["curve"][-1]["reward"] == pytest.approx(10.0)
    assert found["fit"]["beta"] > 0


def test_an_honest_reward_is_not_over_optimised():
    found = best_of_n_account(prompts(60, hacked=False), seed=0, bound=0.2)
    assert found["over_optimised"] == "excluded"
    assert found["peak"]["n"] >= 16
    assert found["agreement"]["kendall_tau"] > 0.6
    golds = [point["gold"] for point in found["curve"]]
    assert golds == sorted(golds)


def test_noise_alone_is_rarely_called_over_optimisation():
    alarms = 0
    for trial in range(40):
        rng = np.random.default_rng(trial)
        made = [Candidates(rng.normal(size=16), rng.normal(size=16), k) for k in range(40)]
        alarms += best_of_n_account(made, seed=0, bound=0.2)["over_optimised"] == "found"
    assert alarms <= 5


def test_a_constant_reward_gains_nothing():
    made = [Candidates(np.zeros(8), np.arange(8.0), k) for k in range(20)]
    found = best_of_n_account(made, seed=0, bound=0.2)
    assert [point["gold"] for point in found["curve"]] == pytest.approx([3.5] * len(found["curve"]))
    assert found["recommended"]["n"] == 1
    assert found["agreement"]["without_spread"] == 20
    assert math.isnan(found["agreement"]["kendall_tau"])
