"""Slopes given the label, on rewards whose slopes are known."""

import math

import numpy as np
import pytest
from scipy import stats

from known_rewards import quality, records, scorer
from rewardsmith.audit.biases.observed import (
    correlation_statistic,
    differences_of,
    length_account,
    observed_effects,
    slope_statistic,
)
from rewardsmith.audit.effect import Scale, adjusted
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import Comparison, Message, Record, Response

UNIT = Scale(1.0, within=True, prompts=1)


def pairs(count, *, length_pays, seed=0):
    """Pairs of random lengths and labels, and rewards that are label + slope x doublings + noise."""
    rng = np.random.default_rng(seed)
    made, rewards = [], []
    for k in range(count):
        lengths = rng.integers(8, 65, size=2)
        texts = [" ".join(["word"] * n) for n in lengths]
        answers = tuple(Response((Message("assistant", text),)) for text in texts)
        made.append(Record((Message("user", str(k)),), answers, (Comparison(0, 1),)))
        rewards.append(np.array([1.0, 0.0]) + length_pays * np.log2(lengths) + rng.normal(0, 0.3, 2))
    return made, rewards


def test_statistics_agree_with_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=40), rng.normal(size=40)
    once = np.ones((1, 40))
    line = stats.linregress(x, y)
    assert slope_statistic(x, y, np.arange(40))(once)[0] == pytest.approx(line.slope)
    assert correlation_statistic(x, y, np.arange(40))(once)[0] == pytest.approx(line.rvalue)
    assert math.isnan(slope_statistic(np.ones(40), y, np.arange(40))(once)[0])


def test_what_length_pays_for_is_found_and_the_label_does_not_count_as_length():
    made, rewards = pairs(200, length_pays=0.7)
    found = adjusted(list(observed_effects(differences_of(made, rewards), UNIT, bound=0.2, seed=0)))
    (longer,) = [effect for effect in found if effect.name == "longer"]
    assert longer.effect_sd == pytest.approx(0.7, abs=0.07)
    assert longer.status == "found"


def test_no_slope_is_excluded_and_its_partial_correlation_covers_zero():
    made, rewards = pairs(200, length_pays=0.0)
    differences = differences_of(made, rewards)
    (longer, *_) = adjusted(list(observed_effects(differences, UNIT, bound=0.2, seed=0)))
    assert longer.status == "excluded"
    low, high = length_account(differences, seed=0)["partial_correlation"]["ci"]
    assert low < 0 < high


def test_accuracy_by_length_counts_each_comparison_once():
    made, rewards = pairs(100, length_pays=5.0)
    account = length_account(differences_of(made, rewards), seed=0)
    groups = [account[name] for name in ("preferred_longer", "preferred_shorter", "equally_long")]
    assert sum(group["n"] for group in groups) == 100
    assert account["preferred_longer"]["accuracy"] == 1.0
    assert account["preferred_shorter"]["accuracy"] < 0.2


def test_ties_and_unscored_comparisons_are_left_out_and_features_need_enough_differences():
    made = records(30)
    rewards = scorer(quality)(made)
    rewards[0][:] = math.nan
    found = differences_of(made, rewards)
    assert found.margin.size == 29
    lengths = [[length_in_words(response.text) for response in record.responses] for record in made[1:]]
    signs = [
        c[record.comparisons[0].i] - c[record.comparisons[0].j] for c, record in zip(lengths, made[1:], strict=True)
    ]
    assert list(np.sign(found.doublings)) == list(np.sign(signs))
    names = [effect.name for effect in observed_effects(found, UNIT, bound=0.2, seed=0)]
    assert "more_emoji" not in names
    assert differences_of([], []) is None
