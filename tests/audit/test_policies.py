"""Gold ratings of policies over KL: the fit against its own formula and scipy, intervals, and what is refused."""

import json
import math

import numpy as np
import pytest
from scipy import optimize

from rewardsmith.audit.policies import PolicyRatings, fit_policy, peak_kl, policy_account, read_policies
from rewardsmith.errors import DataError

KLS = np.array([0.0, 1.0, 4.0, 9.0, 25.0, 64.0])


def gain(kl, alpha=1.0, beta=0.4):
    d = np.sqrt(np.maximum(kl, 1e-12))
    return np.where(kl > 0, d * (alpha - beta * np.log(d)), 0.0)


def ratings(prompts=100, noise=1.0, seed=0):
    """Every policy rated on every prompt, each of which has a level of its own that does not concern the gain."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=prompts)
    gold = gain(KLS)[:, None] + level + noise * rng.normal(size=(len(KLS), prompts))
    kl, cluster = np.broadcast_to(KLS[:, None], gold.shape), np.broadcast_to(np.arange(prompts), gold.shape)
    return PolicyRatings(kl.ravel(), gold.ravel(), cluster.ravel())


def test_the_fit_returns_what_made_the_curve_and_agrees_with_scipy():
    d = np.sqrt(KLS[1:])
    assert fit_policy(d, gain(KLS[1:])) == pytest.approx([1.0, 0.4])
    noisy = gain(KLS[1:]) + np.random.default_rng(0).normal(0, 0.05, d.size)
    theirs, _ = optimize.curve_fit(lambda x, a, b: x * (a - b * np.log(x)), d, noisy)
    assert fit_policy(d, noisy) == pytest.approx(theirs, abs=1e-5)


def test_the_highest_point_is_where_the_derivative_is_zero():
    found = optimize.minimize_scalar(lambda kl: -float(gain(np.array(kl))), bounds=(1, 200), method="bounded")
    assert peak_kl(np.array([1.0]), np.array([0.4]))[0] == pytest.approx(found.x, rel=1e-3)
    assert math.isnan(peak_kl(np.array([1.0]), np.array([-0.1]))[0])


def test_without_noise_all_is_known():
    found = policy_account(ratings(noise=0.0), seed=0)
    assert (found["policies"], found["prompts"], found["ratings"]) == (5, 100, 600)
    assert found["fit"]["alpha_ci"] == pytest.approx([1.0, 1.0])
    assert found["fit"]["largest_error"] == pytest.approx(0.0, abs=1e-9)
    assert found["fit"]["peak_kl"] == pytest.approx(math.exp(2 * (1.0 / 0.4 - 1)))
    assert found["recommended"] == found["peak"] == {"kl": 25.0}


def test_intervals_are_over_prompts_and_hold_what_made_the_ratings():
    """Of 60 data sets about 95 % of the intervals hold beta; 50 of 60 or fewer would occur in 1 of 10,000 cases."""
    held = 0
    for seed in range(60):
        fit = policy_account(ratings(prompts=60, seed=seed), seed=seed)["fit"]
        held += fit["beta_ci"][0] <= 0.4 <= fit["beta_ci"][1]
    assert held >= 51


def test_the_level_of_a_prompt_does_not_widen_the_interval_of_the_gain():
    one = ratings(noise=0.2)
    shifted = PolicyRatings(one.kl, one.gold + 50.0 * one.cluster, one.cluster)
    first, second = (policy_account(each, seed=0)["fit"]["alpha_ci"] for each in (one, shifted))
    assert first == pytest.approx(second, abs=1e-6)


def test_without_prompts_there_are_points_and_no_intervals():
    one = ratings()
    found = policy_account(PolicyRatings(one.kl, one.gold, None), seed=0)
    assert (
        found["fit"]["alpha_ci"]
        is found["fit"]["peak_kl_ci"]
        is found["curve"][0]["gold_ci"]
        is found["prompts"]
        is None
    )
    assert found["recommended"] == found["peak"]


def test_files_are_read_and_what_lacks_is_named(tmp_path):
    def written(*rows):
        path = tmp_path / "policies.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    rows = [{"kl": kl, "gold": 0.1 * k, "prompt": "提示"} for k, kl in enumerate((0, 1.5, 3, 8))]
    found = read_policies(written(*rows))
    assert found.kl.tolist() == [0.0, 1.5, 3.0, 8.0]
    assert found.cluster.tolist() == [0, 0, 0, 0]
    assert read_policies(written(*rows, {"kl": 9, "gold": 1})).cluster is None
    for bad, why in (
        (rows[1:], "no row has kl 0"),
        (rows[:3], "2 policies"),
        ([*rows, {"kl": -1, "gold": 0}], "kl is -1"),
        ([*rows, {"kl": 2, "gold": True}], "gold is True"),
        ([*rows, {"kl": 2}], "gold is None"),
    ):
        with pytest.raises(DataError, match=why):
            read_policies(written(*bad))
    with pytest.raises(DataError, match="no such file"):
        read_policies(tmp_path / "nothing.jsonl")
