import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.evaluate.calibration import fold
from rewardsmith.evaluate.inference.noise_floor import DrawnOutcomes, largest_correlation, outcomes_of
from rewardsmith.evaluate.statistics import gather_clusters


def test_two_unequally_sure_comparisons_of_one_prompt_by_hand():
    # Both take one number: right together with probability 0.6, so the covariance is 0.6 - 0.54, over the mean variance.
    one = gather_clusters(np.ones(2), np.zeros(2, dtype=int))
    found = largest_correlation(np.array([0.9, 0.6]), np.ones(2), one)
    assert found == pytest.approx(0.06 / ((0.24 + 0.09) / 2))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_equally_sure_comparisons_can_be_all_alike_whatever_their_weights(seed):
    rng = np.random.default_rng(seed)
    weight, cluster = rng.uniform(0.1, 5, 20), rng.integers(0, 6, 20)
    found = largest_correlation(np.full(20, 0.7), weight, gather_clusters(weight, cluster))
    assert found == pytest.approx(1.0)


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_the_correlation_that_outcomes_were_drawn_with_is_found_again(correlation):
    # Unequal confidences hide it: errors of one prompt are correlated by about two thirds of it.
    rng = np.random.default_rng(0)
    size, cluster = np.abs(rng.normal(0, 1.5, 4000)), np.repeat(np.arange(400), 10)
    right = DrawnOutcomes(1 / (1 + np.exp(-size)), cluster, correlation).draw(rng)
    folded = fold(np.where(right == 1, size, -size), np.ones(4000), cluster=cluster)
    assert outcomes_of(folded).correlation == pytest.approx(correlation, abs=0.06)
