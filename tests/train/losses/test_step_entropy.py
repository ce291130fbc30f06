"""The cross-entropy of steps against values by hand, finite differences and torch."""

import math

import pytest
import torch

from rewardsmith.train.losses.steps import step_cross_entropy

NAN = float("nan")


def test_values_by_hand():
    values = torch.tensor([0.0, math.log(3), math.log(3), 5.0])
    label = torch.tensor([1.0, 1.0, 0.0, NAN])
    expected = [math.log(2), -math.log(0.75), -math.log(0.25), 0.0]
    assert step_cross_entropy(values, label).tolist() == pytest.approx(expected, rel=1e-6)


def test_a_share_mixes_both_labels_and_swapping_the_sign_swaps_them():
    values = torch.linspace(-3, 3, 7, dtype=torch.float64)
    one, none, share = (step_cross_entropy(values, torch.full((7,), t, dtype=torch.float64)) for t in (1.0, 0.0, 0.3))
    torch.testing.assert_close(share, 0.3 * one + 0.7 * none)
    torch.testing.assert_close(one, none.flip(0))


def test_the_gradient_is_the_probability_minus_the_label():
    values = torch.linspace(-2, 2, 5, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([1.0, 0.0, 0.25, NAN, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: step_cross_entropy(v, label), values)
    (slope,) = torch.autograd.grad(step_cross_entropy(values, label).sum(), values)
    expected = torch.where(torch.isnan(label), torch.zeros_like(label), values.detach().sigmoid() - label)
    torch.testing.assert_close(slope, expected)
