import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.train.losses import LN_2
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.schedule import learning_rate

rewards = st.floats(-20, 20, width=32)


def loss(preferred, other, preference=1.0):
    tensors = (torch.tensor([value], dtype=torch.float64) for value in (preferred - other, preference))
    return bradley_terry(*tensors).item()


def test_a_lead_of_log_three_means_a_three_in_four_win():
    assert loss(math.log(3), 0.0) == pytest.approx(-math.log(0.75))


def test_equal_rewards_cost_ln_two_whatever_the_judges_say():
    assert loss(1.5, 1.5) == pytest.approx(LN_2)
    assert loss(1.5, 1.5, 0.5) == pytest.approx(LN_2)


def test_a_tie_is_cheapest_at_equal_rewards():
    assert loss(0.0, 0.0, 0.5) < loss(0.3, 0.0, 0.5)
    assert loss(0.3, 0.0, 0.5) == pytest.approx(loss(0.0, 0.3, 0.5))


def test_a_soft_label_is_cheapest_where_the_model_gives_the_same_share():
    best = math.log(0.8 / 0.2)
    assert loss(best, 0.0, 0.8) < min(loss(best - 0.1, 0.0, 0.8), loss(best + 0.1, 0.0, 0.8))


@given(rewards, rewards, st.floats(0.5, 1), rewards)
def test_only_the_difference_counts(preferred, other, preference, shift):
    assert loss(preferred + shift, other + shift, preference) == pytest.approx(
        loss(preferred, other, preference), abs=1e-5
    )


@given(rewards, rewards, st.floats(0.5, 1))
def test_it_is_torchs_binary_cross_entropy_with_logits(preferred, other, preference):
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(preferred - other, dtype=torch.float64), torch.tensor(preference, dtype=torch.float64)
    )
    assert loss(preferred, other, preference) == pytest.approx(expected.item(), abs=1e-6)


def test_the_gradient_is_that_of_finite_differences():
    difference = torch.randn(4, dtype=torch.float64, requires_grad=True)
    preference = torch.tensor([1.0, 0.5, 0.8, 0.6], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda d: bradley_terry(d, preference), (difference,))


def test_wrong_shapes_raise_instead_of_broadcasting():
    with pytest.raises(Exception, match="bradley_terry"):
        bradley_terry(torch.zeros(4, 1), torch.ones(4))


def test_the_rate_rises_linearly_peaks_and_falls_to_zero():
    rates = [learning_rate(step, 100, peak=2.0, warmup=10) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == pytest.approx(2.0)
    assert rates[55] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert all(a >= b for a, b in pairwise(rates[10:]))
