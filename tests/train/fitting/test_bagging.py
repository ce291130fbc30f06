"""Heads fitted to samples of the prompts: what is drawn, what is fitted, and how agreement is counted."""

import numpy as np
import pytest

from rewardsmith.errors import TrainingError
from rewardsmith.train.fitting.bagging import agreement_of, draws, fit_members, sample
from rewardsmith.train.fitting.linear import Differences, PairFeatures, fit_linear


def data_of(n=30, prompts=10):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    preference = np.where(x[:, 0] + rng.normal(size=n) > 0, 1.0, 0.0)
    return Differences(x, preference, np.full(n, 0.5), np.arange(n) % prompts)


def test_every_member_draws_as_many_prompts_as_there_are_and_none_twice_alike():
    drawn = [draws(50, seed=0, member=member) for member in range(4)]
    assert [times.sum() for times in drawn] == [50] * 4
    assert len({times.tobytes() for times in drawn}) == 4
    assert draws(50, seed=0, member=2).tolist() == drawn[2].tolist()
    assert draws(50, seed=1, member=2).tolist() != drawn[2].tolist()
    assert np.mean([(draws(1000, seed=0, member=m) == 0).mean() for m in range(9)]) == pytest.approx(
        np.exp(-1), abs=0.02
    )


def test_a_prompt_comes_with_all_its_comparisons_as_often_as_it_was_drawn():
    data = data_of()
    times = draws(10, seed=3, member=1)
    drawn = sample(data, seed=3, member=1)
    repeated = [k for k in range(30) for _ in range(times[k % 10])]
    by_hand = Differences(data.x[repeated], data.preference[repeated], data.weight[repeated], data.cluster[repeated])
    assert drawn.weight.sum() == pytest.approx(0.5 * len(repeated))
    assert (drawn.weight[drawn.cluster == times.argmax()] == 0.5 * times.max()).all()
    np.testing.assert_allclose(fit_linear(drawn, 0.1), fit_linear(by_hand, 0.1), rtol=1e-3, atol=1e-4)


def test_members_differ_and_lie_about_the_head_of_all_data():
    data = data_of(300, 100)
    single = fit_linear(data, 0.1)
    members = fit_members(data, lambda weights: 2 * weights, 0.1, count=40, seed=0)
    assert members.shape == (40, 3)
    assert (members.std(axis=0) > 0.01).all()
    error = 4 * members.std(axis=0) / np.sqrt(40)
    assert (np.abs(members.mean(axis=0) - 2 * single) < error + 0.02).all()


def test_one_prompt_is_no_sample():
    with pytest.raises(TrainingError, match="--members resamples prompts"):
        fit_members(data_of(10, 1), lambda weights: weights, 0.1, count=2, seed=0)


def test_agreement_by_hand():
    """Four comparisons with features (1, 0), (0, 1), (-1, 0), (2, 1), all preferred, the last one with weight 3.

    Margins of head (1, 0): 1, 0, -1, 2; of (0, 1): 0, 1, 0, 1; of (1, 1): 1, 1, -1, 3. Signs of the first two agree on
    one of four, of the first and third on three, of the second and third on two: 6 of 12.
    """
    features = np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [2, 1]], dtype=np.float32)
    held = PairFeatures(features, np.arange(1, 5), np.zeros(4, int), np.ones(4), np.array([1.0, 1, 1, 3]), np.arange(4))
    members = np.array([[1.0, 0], [0, 1], [1, 1]])
    found = agreement_of(members, np.array([1.0, 1]), held)
    assert found.agreement == pytest.approx(6 / 12)
    assert found.accuracies == pytest.approx(((1 + 0.5 + 3) / 6, (0.5 + 1 + 0.5 + 3) / 6, 5 / 6))
    assert found.accuracy_of_mean == pytest.approx(5 / 6)  # the mean head (2/3, 2/3) errs on the third alone
    assert (found.accuracy_of_single, found.count, found.comparisons) == (pytest.approx(5 / 6), 3, 4)
