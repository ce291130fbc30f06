"""Every loss on differences: values by hand, gradients, invariances and limits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.train.losses import LOSSES
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.focal import focal, focal_ranking
from rewardsmith.train.losses.hinge import hinge
from rewardsmith.train.losses.label_smoothing import label_smoothing
from rewardsmith.train.losses.loss import Annotations
from rewardsmith.train.losses.margin import margin, scaled_margin
from rewardsmith.train.losses.regression import regression
from rewardsmith.train.losses.robust import generalised_cross_entropy, unbiased
from rewardsmith.train.losses.symmetric import ramp, sigmoid
from rewardsmith.train.losses.ties import davidson, outcomes, rao_kupper
from rewardsmith.train.losses.votes import soft_labels

NO_VOTES = torch.full((1, 3), torch.nan, dtype=torch.float64)
PAIRWISE = [name for name, loss in LOSSES.items() if loss.unit == "comparison" and loss.outputs == "rewards"]
differences = st.floats(-8, 8)


def one(value):
    return torch.tensor([value], dtype=torch.float64)


def sigma(value):
    return 1 / (1 + math.exp(-value))


def votes(*counts):
    return torch.tensor([counts], dtype=torch.float64)


def labels(preferred, other, preference, *, count, margins=None, cast=None):
    size = len(preferred)
    return Annotations(
        preferred=torch.tensor(preferred),
        other=torch.tensor(other),
        preference=torch.tensor(preference, dtype=torch.float64),
        weight=torch.ones(size, dtype=torch.float64),
        margin=torch.full((size,), torch.nan).double() if margins is None else torch.tensor(margins).double(),
        votes=torch.full((size, 3), torch.nan).double() if cast is None else torch.tensor(cast).double(),
        rating=torch.full((count,), torch.nan),
        length=torch.ones(count),
        record=torch.zeros(count, dtype=torch.int64),
        choices=None,
        unit_weight=torch.ones(size),
    )


LOG3 = math.log(3)  # sigma(log 3) = 3/4
VALUES = {
    "margin: a lead of log 3 less a margin of log 3 is a coin": (
        margin(one(LOG3), one(1.0), margin=one(LOG3)), math.log(2)),
    "margin: the margin is scaled": (margin(one(0.0), one(1.0), margin=one(2.0), margin_scale=LOG3 / 2), math.log(4)),
    "scaled margin: three times the loss": (scaled_margin(one(LOG3), one(1.0), margin=one(3.0)), 3 * math.log(4 / 3)),
    "label smoothing: 0.9 of one side, 0.1 of the other": (
        label_smoothing(one(LOG3), one(1.0), smoothing=0.1), -0.9 * math.log(0.75) - 0.1 * math.log(0.25)),
    "soft labels: one vote of one with a prior of 1 is 2/3": (
        soft_labels(one(LOG3), one(1.0), votes=votes(1, 0, 0)), -2 / 3 * math.log(0.75) - 1 / 3 * math.log(0.25)),
    "soft labels: the undecided are half for each": (
        soft_labels(one(LOG3), one(1.0), votes=votes(2, 0, 2), prior_votes=0.0),
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)),
    "Rao-Kupper: three equal outcomes at equal rewards": (rao_kupper(one(0.0), one(1.0), votes=NO_VOTES), LOG3),
    "Rao-Kupper: t = 2, odds 3: P(win) = 3/(3 + 2)": (rao_kupper(one(LOG3), one(1.0), votes=NO_VOTES), -math.log(3 / 5)),
    "Rao-Kupper: P(tie) = (4 - 1) 3 / ((3 + 2)(2 * 3 + 1))": (
        rao_kupper(one(LOG3), one(0.5), votes=NO_VOTES), -math.log(9 / 35)),
    "Davidson: v = 1, odds 4: P(win) = 2/(2 + 1/2 + 1)": (
        davidson(one(math.log(4)), one(1.0), votes=NO_VOTES), -math.log(4 / 7)),
    "Davidson: P(tie) = 1/(2 + 1/2 + 1)": (davidson(one(math.log(4)), one(0.5), votes=NO_VOTES), -math.log(2 / 7)),
    "Davidson: votes of all three kinds": (
        davidson(one(0.0), one(0.75), votes=votes(2, 1, 1)), LOG3),
    "hinge: 1 - 0.25": (hinge(one(0.25), one(1.0)), 0.75),
    "hinge: beyond the lead nothing": (hinge(one(1.5), one(1.0)), 0.0),
    "hinge: a tie inside the lead": (hinge(one(0.5), one(0.5)), 1.0),
    "focal: (1/4)^2 of the loss": (focal(one(LOG3), one(1.0)), math.log(4 / 3) / 16),
    "focal ranking: (1 - 2 (3/4 - 1/2))^2 = 1/4 of the loss": (focal_ranking(one(LOG3), one(1.0)), math.log(4 / 3) / 4),
    "focal ranking: what is lost counts in full": (focal_ranking(one(-LOG3), one(1.0)), math.log(4)),
    "symmetric: the probability of the other side": (sigmoid(one(LOG3), one(1.0)), 0.25),
    "ramp: half at equal rewards, a quarter half way": (ramp(one(0.5), one(1.0)), 0.25),
    "unbiased: (0.8 l(d) - 0.2 l(-d)) / 0.6": (
        unbiased(one(LOG3), one(1.0), flip_rate=0.2), (0.8 * math.log(4 / 3) - 0.2 * math.log(4)) / 0.6),
    "generalised cross-entropy: (1 - (3/4)^0.5) / 0.5": (
        generalised_cross_entropy(one(LOG3), one(1.0), power=0.5), 2 * (1 - math.sqrt(0.75))),
    "regression: the squared error": (regression(one(1.0), one(4.0)), 9.0),
    "regression: nothing without a rating": (regression(one(1.0), one(math.nan)), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("claim", VALUES)
def test_values_by_hand(claim):
    value, expected = VALUES[claim]
    assert value.item() == pytest.approx(expected, abs=1e-12)


def some(seed=0, size=6):
    draw = torch.Generator().manual_seed(seed)
    rewards = torch.randn(2 * size, dtype=torch.float64, generator=draw)
    preference = torch.tensor([1.0, 0.5, 0.8, 0.6, 1.0, 0.9], dtype=torch.float64)[:size]
    margins = [1.0, 0.0, math.nan, 2.0, 3.0, 0.5][:size]
    cast = [(1.0, 0, 0), (1, 1, 0), (4, 1, 0), (math.nan,) * 3, (0, 0, 0), (5, 0, 1)][:size]
    first = list(range(size))
    return rewards, labels(
        first, [i + size for i in first], preference.tolist(), count=2 * size, margins=margins, cast=cast
    )


@pytest.mark.parametrize("name", PAIRWISE)
def test_gradients_are_those_of_finite_differences(name):
    rewards, said = some()
    assert torch.autograd.gradcheck(lambda r: LOSSES[name].values(r, said), (rewards.requires_grad_(),))


@pytest.mark.parametrize("name", PAIRWISE)
def test_a_constant_added_to_all_rewards_changes_nothing(name):
    rewards, said = some(1)
    values = LOSSES[name].values
    assert torch.allclose(values(rewards + 7, said), values(rewards, said), atol=1e-12)


def swapped(said):
    turned = said.votes[:, [1, 0, 2]]
    return Annotations(**{
        **vars(said), "preferred": said.other, "other": said.preferred, "preference": 1 - said.preference, "votes": turned,
    })  # fmt: skip


@pytest.mark.parametrize("name", PAIRWISE)
def test_it_does_not_matter_which_side_of_a_comparison_is_called_the_first(name):
    rewards, said = some(2)
    values = LOSSES[name].values
    assert torch.allclose(values(rewards, swapped(said)), values(rewards, said), atol=1e-12)


@pytest.mark.parametrize("name", PAIRWISE)
def test_a_tie_is_cheapest_at_equal_rewards_and_pulls_to_no_side(name):
    """What decides a tie by a coin would have a gradient there."""
    difference = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    said = labels([0], [1], [0.5], count=2)
    at_zero = LOSSES[name].values(difference, said)
    (slope,) = torch.autograd.grad(at_zero.sum(), difference)
    assert torch.allclose(slope, torch.zeros_like(slope), atol=1e-12)
    if name != "unbiased" and name not in ("symmetric", "ramp", "gce", "focal", "focal-ranking"):
        apart = LOSSES[name].values(torch.tensor([1.5, 0.0], dtype=torch.float64), said)
        assert apart.item() > at_zero.item()


@pytest.mark.parametrize("name", PAIRWISE)
def test_huge_margins_give_finite_losses_and_gradients(name):
    rewards = torch.tensor([3e4, 0.0, 0.0, 3e4], requires_grad=True)
    said = labels([0, 2], [1, 3], [1.0, 1.0], count=4)
    values = LOSSES[name].values(rewards, said)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(rewards.grad).all()


LIMITS = {
    "margin 0": lambda d, p: margin(d, p, margin=torch.zeros_like(d)),
    "no margin": lambda d, p: margin(d, p, margin=torch.full_like(d, torch.nan)),
    "margin scaled by 0": lambda d, p: margin(d, p, margin=torch.ones_like(d), margin_scale=0.0),
    "scaled margin 1": lambda d, p: scaled_margin(d, p, margin=torch.ones_like(d)),
    "smoothing 0": lambda d, p: label_smoothing(d, p, smoothing=0.0),
    "votes with the share of the preference": lambda d, p: soft_labels(
        d, p, votes=torch.stack([p, 1 - p, 0 * p], dim=1), prior_votes=0.0),
    "focal gamma 0": lambda d, p: focal(d, p, gamma=0.0),
    "focal ranking gamma 0": lambda d, p: focal_ranking(d, p, gamma=0.0),
    "unbiased rate 0": lambda d, p: unbiased(d, p, flip_rate=0.0),
    "generalised cross-entropy power to 0": lambda d, p: generalised_cross_entropy(d, p, power=1e-9),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
@given(difference=differences, preference=st.floats(0.5, 1))
def test_the_limit_is_bradley_terry(limit, difference, preference):
    d, p = one(difference), one(preference)
    assert LIMITS[limit](d, p).item() == pytest.approx(bradley_terry(d, p).item(), abs=1e-6)


@pytest.mark.parametrize("model", [rao_kupper, davidson])
@given(difference=differences)
def test_without_ties_both_models_of_ties_are_bradley_terry(model, difference):
    d = one(difference)
    value = model(d, one(1.0), votes=NO_VOTES, tie_share=1e-9)
    assert value.item() == pytest.approx(bradley_terry(d, one(1.0)).item(), abs=1e-6)


@pytest.mark.parametrize("model", [rao_kupper, davidson])
@given(difference=differences, tie_share=st.floats(0.05, 0.9))
def test_the_three_outcomes_have_probabilities_that_sum_to_one(model, difference, tie_share):
    d = one(difference)
    cases = [votes(1, 0, 0), votes(0, 1, 0), votes(0, 0, 1)]
    win, loss, tie = (math.exp(-model(d, one(0.75), votes=cast, tie_share=tie_share).item()) for cast in cases)
    assert win + loss + tie == pytest.approx(1)
    at_zero = model(one(0.0), one(0.5), votes=NO_VOTES, tie_share=tie_share)
    assert math.exp(-at_zero.item()) == pytest.approx(tie_share)


def test_outcomes_take_votes_first_and_call_only_one_half_a_tie():
    preference = torch.tensor([1.0, 0.5, 0.75, 0.75, 1.0], dtype=torch.float64)
    cast = torch.tensor([[math.nan] * 3] * 3 + [[1, 0, 1], [0, 0, 0]], dtype=torch.float64)
    expected = [[1, 0, 0], [0, 0, 1], [0.75, 0.25, 0], [0.5, 0, 0.5], [1, 0, 0]]
    assert outcomes(preference, cast).tolist() == expected


@given(difference=st.floats(-6, 6), rate=st.floats(0.01, 0.45))
def test_the_mean_over_flipped_labels_of_the_unbiased_loss_is_the_clean_loss(difference, rate):
    d, p = one(difference), one(1.0)
    mean = (1 - rate) * unbiased(d, p, flip_rate=rate) + rate * unbiased(-d, p, flip_rate=rate)
    assert mean.item() == pytest.approx(bradley_terry(d, p).item(), abs=1e-6)


@pytest.mark.parametrize("loss", [sigmoid, ramp, lambda d, p: generalised_cross_entropy(d, p, power=1.0)])
@given(difference=differences)
def test_symmetric_losses_of_both_sides_sum_to_one(loss, difference):
    d, p = one(difference), one(1.0)
    assert loss(d, p).item() + loss(-d, p).item() == pytest.approx(1)


@given(difference=differences, preference=st.floats(0.5, 1))
def test_label_smoothing_is_that_of_torchs_cross_entropy(difference, preference):
    """Over two classes torch spreads e over both, so its e is twice ours."""
    logits = torch.tensor([[difference, 0.0]], dtype=torch.float64)
    target = torch.tensor([[preference, 1 - preference]], dtype=torch.float64)
    torchs = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.2)
    assert label_smoothing(one(difference), one(preference), smoothing=0.1).item() == pytest.approx(torchs.item())


@given(difference=differences)
def test_hinge_is_that_of_torchs_margin_ranking_loss(difference):
    torchs = torch.nn.functional.margin_ranking_loss(one(difference), one(0.0), one(1.0), margin=2.0)
    assert hinge(one(difference), one(1.0), hinge_lead=2.0).item() == pytest.approx(torchs.item())


def test_a_margin_shrinks_with_the_share_of_judges():
    d, m = one(0.3), one(2.0)
    assert margin(d, one(0.5), margin=m).item() == pytest.approx(bradley_terry(d, one(0.5)).item())
    assert margin(d, one(0.75), margin=m).item() == pytest.approx(bradley_terry(d - 1.0, one(0.75)).item())
