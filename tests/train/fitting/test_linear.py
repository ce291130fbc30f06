"""Linear Bradley-Terry models: what a head alone can rank of the very comparisons that it is fitted to."""

import numpy as np
import pytest

from rewardsmith.evaluate.metrics import accuracy
from rewardsmith.train.fitting.linear import PairFeatures, fit_separating


def pairs(features, count):
    """Comparisons of text 2k with text 2k + 1, in a random order."""
    rng = np.random.default_rng(0)
    sides = np.arange(2 * count).reshape(count, 2)
    swapped = rng.random(count) < 0.5
    sides[swapped] = sides[swapped, ::-1]
    ones = np.ones(count)
    return PairFeatures(features.astype(np.float32), sides[:, 0], sides[:, 1], ones, ones, np.arange(count))


def ranked_right(known):
    return accuracy(known.margins(fit_separating(known)), known.preference, weight=known.weight)


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_random_labels_of_fewer_pairs_than_features_are_ranked_whatever_their_scale(scale):
    """Cover 1965: 40 points in general position in 60 dimensions are separable in every one of the 2 ** 40 ways."""
    features = np.random.default_rng(1).normal(size=(80, 60)) * scale
    assert ranked_right(pairs(features, 40)) == 1.0


def test_far_more_pairs_than_features_are_not_ranked():
    """400 points in 2 dimensions, random labels: the best direction is right in little more than one half."""
    features = np.random.default_rng(1).normal(size=(800, 2))
    assert 0.5 <= ranked_right(pairs(features, 400)) < 0.65


def test_texts_that_all_look_alike_are_not_ranked():
    known = pairs(np.ones((80, 60)), 40)
    assert not known.margins(fit_separating(known)).any()
