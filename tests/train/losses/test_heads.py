"""Losses of heads with several outputs: values by hand, outside integrals, gradients, invariances and limits."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import log_expit
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss
from test_formulas import labels, some

from rewardsmith.train.losses import LOSSES, choose
from rewardsmith.train.losses.attributes import attributes
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.distributions import gaussian, inform, pinball, quantile
from rewardsmith.train.losses.helpful_cost import helpful_cost
from rewardsmith.train.losses.loss import AttributeLabels

WIDE = ("attributes", "helpful-cost", "gaussian", "quantile", "inform")
ON_COMPARISONS = ("gaussian", "quantile", "inform")
NAN = math.nan


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def judged(pairs, rating, *, preference=None):
    """Comparisons (preferred, other, attribute) and ratings."""
    preferred, other, attribute = (torch.tensor([pair[k] for pair in pairs], dtype=torch.int64) for k in range(3))
    return AttributeLabels(
        preferred=preferred,
        other=other,
        preference=double(preference or [1.0] * len(pairs)),
        weight=torch.ones(len(pairs)).double(),
        attribute=attribute,
        rating=double(rating),
    )


def two_records():
    """Four responses, the first two of one record, with all that the losses of attributes look at."""
    said = labels([0, 2], [1, 3], [1.0, 0.8], count=4)
    more = judged([(0, 1, 1), (3, 2, 1)], [[1.0, NAN], [NAN, NAN], [0.5, NAN], [-0.5, NAN]])
    return dataclasses.replace(said, record=torch.tensor([0, 0, 1, 1]), unit_weight=torch.ones(2), attributes=more)


def outputs_for(name, seed=0):
    """Outputs of some responses, and their labels."""
    draw = torch.Generator().manual_seed(seed)
    if name in ("attributes", "helpful-cost"):
        said = two_records()
        width = 3 if name == "attributes" else 2
        if name == "helpful-cost":
            rating = double([[1.0], [0.0], [0.0], [NAN]])
            said = dataclasses.replace(said, attributes=judged([(0, 1, 0)], rating.tolist()))
        return torch.randn(4, width, dtype=torch.float64, generator=draw), said
    _, said = some(seed)
    made = torch.randn(12, {"gaussian": 2, "quantile": 5, "inform": 3}[name], dtype=torch.float64, generator=draw)
    if name != "quantile":
        made[:, 1] = made[:, 1].abs() + 0.1
    return made, said


@pytest.mark.parametrize("name", WIDE)
def test_gradients_are_those_of_finite_differences(name):
    outputs, said = outputs_for(name, 1)
    assert torch.autograd.gradcheck(lambda o: LOSSES[name].values(o, said), (outputs.requires_grad_(),))


@pytest.mark.parametrize("name", ON_COMPARISONS)
def test_a_constant_added_to_all_rewards_changes_nothing_and_swapped_sides_complement(name):
    outputs, said = outputs_for(name, 2)
    loss = LOSSES[name].values
    moved = outputs.clone()
    moved[:, 0] += 3.7
    if name == "quantile":
        moved[:, 1:] += 3.7
    assert torch.allclose(loss(moved, said), loss(outputs, said))
    swapped = dataclasses.replace(said, preferred=said.other, other=said.preferred, preference=1 - said.preference)
    assert torch.allclose(loss(outputs, swapped), loss(outputs, said))


@pytest.mark.parametrize("name", ON_COMPARISONS)
def test_rewards_without_spread_give_bradley_terry(name):
    outputs, said = outputs_for(name, 3)
    sure = torch.zeros_like(outputs)
    sure[:, 0] = outputs[:, 0]
    if name == "quantile":
        sure[:, 1:] = outputs[:, :1]
    plain = bradley_terry(sure[said.preferred, 0] - sure[said.other, 0], said.preference)
    assert torch.allclose(LOSSES[name].values(sure, said), plain, atol=1e-12)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.3), (1.3, 1.0), (-2.0, 3.0)])
def test_the_gaussian_probability_is_the_integral_of_scipy(mean, deviation):
    said = labels([0], [1], [0.7], count=2)
    outputs = double([[mean, 0.6 * deviation], [0.0, 0.8 * deviation]])  # 0.36 + 0.64 = 1
    won = quad(
        lambda z: norm.pdf(z, mean, deviation) / (1 + math.exp(-z)), mean - 12 * deviation, mean + 12 * deviation
    )
    expected = -0.7 * math.log(won[0]) - 0.3 * math.log(1 - won[0])
    assert gaussian(outputs, said).item() == pytest.approx(expected, rel=2e-4)


def test_more_deviation_means_a_less_certain_preference():
    said = labels([0], [1], [1.0], count=2)
    losses = [gaussian(double([[2.0, s], [0.0, s]]), said).item() for s in (0.0, 1.0, 3.0, 30.0)]
    assert losses == sorted(losses)
    assert losses[-1] == pytest.approx(math.log(2), abs=0.1)


def test_quantiles_by_hand():
    said = labels([0], [1], [1.0], count=2)
    outputs = double([[0.5, 0.0, 1.0], [0.0, 0.0, 0.0]])  # differences 0, 0, 1, 1
    expected = -math.log((2 * 0.5 + 2 / (1 + math.exp(-1))) / 4)
    assert quantile(outputs, said).item() == pytest.approx(expected)


def test_pinball_is_that_of_scikit_learn_and_nothing_without_a_rating():
    draw = np.random.default_rng(0)
    quantiles, rating = draw.normal(size=(6, 4)), draw.normal(size=6)
    said = dataclasses.replace(labels([0], [1], [1.0], count=6), rating=double(rating))
    levels = [0.125, 0.375, 0.625, 0.875]
    expected = np.mean([mean_pinball_loss(rating, quantiles[:, k], alpha=t) for k, t in enumerate(levels)])
    outputs = torch.cat([torch.zeros(6, 1).double(), double(quantiles)], dim=1)
    assert pinball(outputs, said).mean().item() == pytest.approx(expected)
    unrated = dataclasses.replace(said, rating=torch.full((6,), NAN))
    assert pinball(outputs, unrated).tolist() == [0.0] * 6


def test_inform_is_the_mean_over_codes_plus_the_divergence_of_both_responses():
    said = labels([0], [1], [1.0], count=2)
    outputs = double([[1.2, 0.5, 3.0], [0.0, 1.2, 5.0]])
    s = 1.3  # the root of 0.25 + 1.44
    mean = quad(lambda z: norm.pdf(z, 1.2, s) * -log_expit(z), 1.2 - 12 * s, 1.2 + 12 * s)[0]
    assert inform(outputs, said, kl_weight=0.1).item() == pytest.approx(mean + 0.1 * 4.0, rel=1e-6)


def test_helpful_and_cost_by_hand():
    """A pair as in equations 5 and 6 of Dai et al. 2023: one response is safer, both are labelled."""
    said = labels([0], [1], [1.0], count=2)
    said = dataclasses.replace(said, attributes=judged([(1, 0, 0)], [[0.0], [1.0]]))  # the helpful one is unsafe
    outputs = double([[1.5, 0.7], [0.5, -0.4]])

    def loss(x):
        return math.log(1 + math.exp(-x))

    expected = loss(1.0) + loss(0.7 - -0.4) + loss(0.7) + loss(0.4)
    assert helpful_cost(outputs, said).tolist() == pytest.approx([expected])
    assert helpful_cost(outputs, said, sign_weight=0.0).tolist() == pytest.approx([loss(1.0) + loss(1.1)])
    silent = dataclasses.replace(said, attributes=judged([], [[NAN], [NAN]]))
    assert helpful_cost(outputs, silent).tolist() == pytest.approx([loss(1.0)])


def test_attributes_by_hand():
    """The mean over the attributes that a record judges, of whatever kind they are."""
    said = two_records()
    outputs = double([[9.0, 0.5, 1.0], [9.0, 9.0, 0.0], [9.0, 0.0, 2.0], [9.0, 0.0, 1.0]])
    first = ((1.0 - 0.5) ** 2 + math.log(1 + math.exp(-1.0))) / 2
    second = ((0.25 + 0.25) / 2 + math.log(1 + math.exp(1.0))) / 2
    assert attributes(outputs, said).tolist() == pytest.approx([first, second])
    only = dataclasses.replace(said, attributes=judged([], said.attributes.rating.tolist()))
    assert attributes(outputs, only).tolist() == pytest.approx([0.25, 0.25])
    moved = outputs.clone()
    moved[:, 2] += 5.0  # comparisons leave the level open, and the reward is no part of it
    moved[:, 0] -= 4.0
    assert torch.allclose(attributes(moved, said), attributes(outputs, said))


@pytest.mark.parametrize("name", [*WIDE, "pinball"])
def test_huge_outputs_give_finite_losses_and_gradients(name):
    outputs, said = outputs_for("quantile" if name == "pinball" else name)
    if name == "pinball":
        said = dataclasses.replace(said, rating=torch.arange(12.0))
    huge = (outputs * 1e4).float().requires_grad_()
    values = LOSSES[name].values(huge, said)
    (slope,) = torch.autograd.grad(values.sum(), huge)
    assert torch.isfinite(values).all()
    assert torch.isfinite(slope).all()


def test_options_reach_the_functions():
    outputs, said = outputs_for("inform")
    kept = choose("inform", {"kl_weight": 0.0}).values(outputs, said)
    more = choose("inform", {"kl_weight": 1.0}).values(outputs, said) - kept
    expected = (outputs[said.preferred, 2] + outputs[said.other, 2]) / 2
    assert torch.allclose(more, expected)
