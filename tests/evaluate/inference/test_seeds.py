"""Two recipes with several seeds each: hand values, and how often equal recipes are called different."""

import math

import numpy as np
import pytest

from rewardsmith.evaluate.statistics import paired_difference, seed_difference


def runs(*right, n=1000):
    """A row of right and wrong answers per run, the first ones right."""
    return np.array([np.repeat([1.0, 0.0], [count, n - count]) for count in right])


def test_the_variance_has_two_parts_by_hand():
    first, second = runs(700, 710, 720), runs(690, 700, 710, 720)
    found = seed_difference(first, second, np.ones(1000), cluster=np.arange(1000))
    assert found.value == pytest.approx(0.71 - 0.705)
    # Variances of 1 and 5/3 squared points over 3 and 4 seeds.
    one, two = 1e-4 / 3, 5e-4 / 3 / 4
    assert found.seed_error == pytest.approx(math.sqrt(one + two))
    prompts = paired_difference(first.mean(axis=0), second.mean(axis=0), np.ones(1000), cluster=np.arange(1000))
    assert found.standard_error == pytest.approx(math.sqrt(one + two + prompts.standard_error**2))
    parts = one**2 / 2 + two**2 / 3 + prompts.standard_error**4 / prompts.n
    assert found.degrees == pytest.approx(found.standard_error**4 / parts)


def test_runs_are_weighted_as_their_comparisons():
    weight = np.repeat([1.0, 3.0], 500)
    found = seed_difference(runs(500, 500), runs(0, 0), weight, cluster=np.arange(1000))
    assert found.first == pytest.approx((0.25, 0.25))
    assert found.value == pytest.approx(0.25)


def simulated(rng, *, seeds, effect=0.0, sd=0.01, prompts=400):
    """Runs of two recipes on prompts of two comparisons, recipe and prompt with an effect, seeds of `sd` each."""
    hard = np.repeat(rng.normal(0.72, 0.1, prompts), 2)
    sides = []
    for shift in (effect, 0.0):
        own = hard + np.repeat(rng.normal(shift, 0.05, prompts), 2)
        luck = rng.random(2 * prompts)  # what all seeds of a recipe get alike
        chance = own + rng.normal(0, sd, (seeds, 1))
        kept = rng.random((seeds, 2 * prompts)) < 0.8
        sides.append((np.where(kept, luck, rng.random((seeds, 2 * prompts))) < chance).astype(float))
    cluster = np.repeat(np.arange(prompts), 2)
    return seed_difference(*sides, np.ones(2 * prompts), cluster=cluster)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_recipes_are_rarely_called_different(seeds):
    rng = np.random.default_rng(seeds)
    alarms = [simulated(rng, seeds=seeds).p_value() < 0.05 for _ in range(600)]
    assert np.mean(alarms) <= 0.07  # 0.05 has a standard error of 0.009


def test_seeds_that_matter_more_than_prompts_cause_no_alarms_either():
    rng = np.random.default_rng(9)
    alarms = [simulated(rng, seeds=3, sd=0.06).p_value() < 0.05 for _ in range(600)]
    assert np.mean(alarms) <= 0.07


def test_a_difference_of_many_points_is_found():
    rng = np.random.default_rng(7)
    assert np.mean([simulated(rng, seeds=3, effect=0.08).p_value() < 0.05 for _ in range(60)]) > 0.8


def test_interval_and_p_value_are_one_statement():
    rng = np.random.default_rng(8)
    for _ in range(100):
        found = simulated(rng, seeds=2, effect=0.04, prompts=100)
        assert (found.p_value() < 0.05) == (0.0 not in found.interval())
        assert found.value in found.interval()
