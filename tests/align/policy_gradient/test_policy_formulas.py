"""The formulas of the policy-gradient bench: values by hand, invariances, finite differences, and TRL's GRPO loss."""

import math
from types import SimpleNamespace

import pytest
import torch

from rewardsmith.align.policy_gradient.advantages import (
    generalised_advantages,
    group_advantages,
    leave_one_out,
    token_rewards,
    whitened,
)
from rewardsmith.align.policy_gradient.lagrangian import Lagrangian
from rewardsmith.align.policy_gradient.log import correlation_within, member_agreement
from rewardsmith.align.policy_gradient.losses import (
    clipped_surrogate,
    clipped_value_loss,
    k3,
    response_mean,
    token_mean,
)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_advantages_of_a_group_have_mean_zero_and_do_not_see_the_scale():
    found = group_advantages(tensor([1.0, 2.0, 3.0]))
    assert found[0].tolist() == pytest.approx([-1, 0, 1], abs=1e-3)  # the standard deviation of 1, 2, 3 with n - 1 is 1
    again = group_advantages(tensor([107.0, 117.0, 127.0]))
    assert torch.allclose(found, again, atol=1e-3)
    assert group_advantages(tensor([5.0, 5.0])).abs().max() == 0


def test_leave_one_out_compares_with_the_mean_of_the_others():
    assert leave_one_out(tensor([1.0, 2.0, 6.0]))[0].tolist() == [1 - 4, 2 - 3.5, 6 - 1.5]


def test_generalised_advantages_by_hand():
    rewards, values = tensor([0.0, 1.0, 9.0]), tensor([0.5, 0.25, 9.0])
    mask = tensor([1.0, 1.0, 0.0])
    found, returns = generalised_advantages(rewards, values, mask, discount=0.9, trace=0.5)
    last = 1.0 - 0.25
    first = (0.0 + 0.9 * 0.25 - 0.5) + 0.9 * 0.5 * last
    assert found[0].tolist() == pytest.approx([first, last, 0.0])
    assert returns[0].tolist() == pytest.approx([first + 0.5, 1.0, 0.0])


def test_a_trace_of_one_gives_the_return_less_the_value_and_of_zero_one_step():
    rewards, values, mask = torch.rand(4, 6), torch.rand(4, 6), torch.ones(4, 6)
    whole, _ = generalised_advantages(rewards, values, mask, trace=1.0)
    to_come = rewards.flip(1).cumsum(1).flip(1)
    assert torch.allclose(whole, to_come - values, atol=1e-5)
    step, _ = generalised_advantages(rewards, values, mask, trace=0.0)
    after = torch.cat([values[:, 1:], torch.zeros(4, 1)], dim=1)
    assert torch.allclose(step, rewards + after - values, atol=1e-6)


def test_the_reward_comes_with_the_last_token_and_the_penalty_with_each():
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    found = token_rewards(torch.tensor([2.0, 3.0]), torch.ones(2, 3), mask, kl=0.1)
    assert torch.allclose(found, torch.tensor([[-0.1, 1.9, 0.0], [-0.1, -0.1, 2.9]]))


def test_whitening_looks_at_what_counts_alone():
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    found = whitened(torch.tensor([[1.0, 2.0, 99.0], [3.0, 4.0, -99.0]]), mask)
    assert float((found * mask).sum()) == pytest.approx(0, abs=1e-6)
    assert float((found**2 * mask).sum() / mask.sum()) == pytest.approx(1)
    assert found[:, 2].abs().max() == 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.5, 2.0, -2.4, 0.0),  # clipped at 1.2: nothing to gain
        (1.5, -2.0, 3.0, 3.0),  # a bad token that became likelier is pushed down without limit
        (0.5, -2.0, 1.6, 0.0),
        (0.5, 2.0, -1.0, -1.0),
        (1.1, 2.0, -2.2, -2.2),
    ],
)
def test_the_clipped_surrogate_by_hand(ratio, advantage, loss, slope):
    logps = torch.tensor(math.log(ratio), dtype=torch.float64, requires_grad=True)
    found = clipped_surrogate(logps, torch.zeros_like(logps), torch.tensor(advantage, dtype=torch.float64), clip=0.2)
    found.backward()
    assert found.item() == pytest.approx(loss)
    assert logps.grad.item() == pytest.approx(slope)


def test_the_clipped_value_loss_takes_the_worse_of_both():
    values, old, returns = tensor(2.0, 0.1), tensor(0.0, 0.0), tensor(1.0, 1.0)
    # 2 is 1 from its return, held at 0.2 it is 0.8 away; 0.1 is within the range
    assert clipped_value_loss(values, old, returns, clip=0.2).tolist() == pytest.approx([0.5, 0.405])


def test_k3_is_an_unbiased_estimate_of_the_divergence_and_never_negative():
    torch.manual_seed(0)
    here, there = (torch.log_softmax(torch.randn(7, dtype=torch.float64), 0) for _ in range(2))
    every = k3(here, there)
    assert (every >= 0).all()
    exact = (here.exp() * (here - there)).sum()
    assert float((here.exp() * every).sum()) == pytest.approx(float(exact))
    assert k3(here, here).abs().max() == 0


@pytest.mark.parametrize("loss", ["surrogate", "value", "k3"])
def test_gradients_agree_with_finite_differences(loss):
    torch.manual_seed(1)
    x = (0.3 * torch.randn(3, 5, dtype=torch.float64)).requires_grad_()
    other, third = torch.randn(2, 3, 5, dtype=torch.float64)
    mask = (torch.rand(3, 5, dtype=torch.float64) > 0.3).double()
    mask[:, 0] = 1
    functions = {
        "surrogate": lambda v: response_mean(clipped_surrogate(v, 0.3 * other, third, clip=0.2), mask),
        "value": lambda v: token_mean(clipped_value_loss(v, other, third, clip=0.2), mask),
        "k3": lambda v: response_mean(k3(v, 0.3 * other), mask),
    }
    assert torch.autograd.gradcheck(functions[loss], x, eps=1e-6, atol=1e-6)


def test_grpo_gives_the_loss_of_trl():
    grpo = pytest.importorskip("trl.trainer.grpo_trainer")
    torch.manual_seed(2)
    logps, old, reference = (-torch.rand(4, 6) for _ in range(3))
    advantages = torch.randn(4)
    mask = torch.tensor([[1.0] * n + [0.0] * (6 - n) for n in (6, 3, 1, 5)])
    trainer = stand_in(logps, mask)
    inputs = {
        "prompt_ids": torch.zeros(4, 2, dtype=torch.long),
        "prompt_mask": torch.ones(4, 2),
        "completion_ids": torch.zeros(4, 6, dtype=torch.long),
        "completion_mask": mask,
        "advantages": advantages,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
    }
    theirs = grpo.GRPOTrainer._compute_loss(trainer, SimpleNamespace(training=True), inputs)
    surrogate = clipped_surrogate(logps, old, advantages[:, None].expand(4, 6), clip=0.2)
    ours = response_mean(surrogate + 0.04 * k3(logps, reference), mask)
    assert float(ours) == pytest.approx(float(theirs), abs=1e-6)


def stand_in(logps, mask):
    """What TRL's loss asks of its trainer: settings, and log probabilities that are given."""
    from collections import defaultdict

    class Trainer(SimpleNamespace):
        def __getattr__(self, name):  # settings of other losses, all off
            return None

    return Trainer(
        _get_per_token_logps_and_entropies=lambda *args, **kwargs: (logps, torch.zeros_like(logps), None),
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None),
        accelerator=SimpleNamespace(
            gather=lambda value: value,
            num_processes=1,
            gather_for_metrics=lambda value: value,
            reduce=lambda value, reduction: value,
        ),
        loss_type="grpo",
        beta=0.04,
        epsilon_low=0.2,
        epsilon_high=0.2,
        importance_sampling_level="token",
        top_entropy_quantile=1.0,
        current_gradient_accumulation_steps=1,
        aux_loss_enabled=False,
        entropy_coef=0.0,
        use_vllm=False,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
    )


def test_the_multiplier_rises_while_the_cost_is_above_its_limit_and_falls_below():
    constraint = Lagrangian(limit=1.0, rate=0.5, start=2.0)
    reward, cost = tensor(3.0), tensor(2.0)
    assert constraint.combined(reward, cost).item() == pytest.approx((3.0 - 2.0 * (2.0 - 1.0)) / 3.0)
    constraint.update(2.0)
    assert constraint.multiplier == pytest.approx(2.0 * math.exp(0.5 * 2.0 * 1.0))
    before = constraint.multiplier
    constraint.update(0.5)
    assert constraint.multiplier < before
    for _ in range(50):
        constraint.update(100.0)
    assert constraint.multiplier == pytest.approx(constraint.most)


def test_agreement_is_the_share_of_the_variance_that_members_have_in_common():
    torch.manual_seed(3)
    signal = torch.randn(1, 40_000)
    noisy = signal + torch.randn(4, 40_000)  # signal and error have the same variance
    assert member_agreement(noisy, 4) == pytest.approx(0.5, abs=0.02)
    assert member_agreement(signal.repeat(3, 1), 4) == pytest.approx(1.0)
    assert member_agreement(torch.randn(4, 40_000), 4) == pytest.approx(0.0, abs=0.02)
    assert math.isnan(member_agreement(signal, 4))
    per_prompt = torch.randn(4, 10_000).repeat_interleave(4, dim=1)  # differences between prompts are no disagreement
    assert member_agreement(noisy + 5 * per_prompt, 4) == pytest.approx(member_agreement(noisy, 4), abs=1e-4)


def test_the_correlation_within_prompts_ignores_what_prompts_differ_in():
    a = tensor(1.0, 2.0, 11.0, 12.0)
    assert correlation_within(a, tensor(4.0, 3.0, 8.0, 7.0), 2) == pytest.approx(-1.0)
    assert math.isnan(correlation_within(a, tensor(1.0, 1.0, 2.0, 2.0), 2))
