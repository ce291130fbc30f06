"""Losses that couple the step: values by hand, gradients, and that no cut of the step changes them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from test_formulas import some

from builders import pair, ranking, tiny
from rewardsmith.errors import UsageError
from rewardsmith.model.heads import attach_outputs, extra
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.train.coupled import draws
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.losses import LOSSES, choose
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.contrastive import info_nce
from rewardsmith.train.losses.odin import odin, pearson
from rewardsmith.train.losses.uncertainty import agreement_weights, uncertainty
from rewardsmith.train.masks import Dropout
from rewardsmith.train.step import accumulate

COUPLED = [name for name, loss in LOSSES.items() if loss.couples]
NO_DROPOUT = Dropout(0.0, 0, 0)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def columns(name, seed=0):
    """Outputs of twelve responses, and their labels."""
    draw = torch.Generator().manual_seed(seed)
    outputs = torch.randn(
        12, {"uncertainty": 5, "contrastive": 9, "odin": 3}[name], dtype=torch.float64, generator=draw
    )
    _, said = some(seed)
    masks = (torch.rand(2, 12, 8, generator=draw) > 0.2).double() / 0.8
    return outputs, dataclasses.replace(
        said, length=torch.arange(12.0).double() ** 2, views=masks, resample=torch.ones(6, 4)
    )


def test_comparisons_on_which_members_disagree_count_less_by_hand():
    differences = double([[1.0, 1.0, 1.0], [0.0, 2.0, 4.0]])  # variances 0 and 4, so 1 and 1/5 before scaling
    assert agreement_weights(differences, double([1, 1])).tolist() == pytest.approx([1 / 0.6, 0.2 / 0.6])
    assert agreement_weights(differences, double([3, 1])).tolist() == pytest.approx([1 / 0.8, 0.2 / 0.8])


def test_a_level_that_differs_between_members_is_no_disagreement():
    outputs, said = columns("uncertainty")
    moved = outputs + double([0, 10, -20, 30, 5])
    assert torch.allclose(uncertainty(moved, said), uncertainty(outputs, said), atol=1e-9)


def test_members_that_agree_or_a_strength_of_zero_give_bradley_terry():
    outputs, said = columns("uncertainty")
    same = outputs[:, :1].expand(-1, 5)
    plain = bradley_terry(same[said.preferred, 0] - same[said.other, 0], said.preference)
    assert torch.allclose(uncertainty(same, said), plain)
    each = [bradley_terry(column[said.preferred] - column[said.other], said.preference) for column in outputs[:, 1:].T]
    assert torch.allclose(uncertainty(outputs, said, strength=0.0), torch.stack(each).mean(dim=0))


def test_a_member_hears_what_its_bootstrap_sample_holds():
    outputs, said = columns("uncertainty")
    counts = torch.tensor([[0.0, 1.0, 2.0, 0.0]] * 6)
    each = [bradley_terry(column[said.preferred] - column[said.other], said.preference) for column in outputs[:, 1:].T]
    expected = (each[1] + 2 * each[2]) / 4
    assert torch.allclose(uncertainty(outputs, dataclasses.replace(said, resample=counts), strength=0.0), expected)
    sample = np.stack([draws(f"prompt {k}", 3, 0) for k in range(4000)])
    assert sample.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.06)  # Poisson: mean and variance 1, independent
    assert sample.var(axis=0) == pytest.approx([1, 1, 1], abs=0.1)
    assert abs(np.corrcoef(sample.T)[0, 1]) < 0.06
    assert np.array_equal(draws("a", 3, 0), draws("a", 3, 0))


def test_contrast_by_hand():
    a = double([[1.0, 0.0], [0.0, 2.0]])
    expected = -math.log(math.exp(2) / (math.exp(2) + 1))  # cosines 1 and 0, temperature 1/2
    assert info_nce(a, a, temperature=0.5).tolist() == pytest.approx([expected] * 2)
    assert info_nce(3 * a, a, temperature=0.5).tolist() == pytest.approx([expected] * 2)


def test_a_contrast_of_zero_is_bradley_terry():
    outputs, said = columns("contrastive")
    plain = bradley_terry(outputs[said.preferred, 0] - outputs[said.other, 0], said.preference)
    assert torch.allclose(choose("contrastive", {"contrast": 0.0}).values(outputs, said), plain)


def test_the_correlation_is_that_of_numpy_and_zero_for_a_constant():
    x, y = double([1.0, 2.0, 4.0, -1.0]), double([3.0, 1.0, 5.0, 0.0])
    assert pearson(x, y).item() == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert pearson(torch.ones(4).double(), y).item() == 0.0


def test_odin_by_hand():
    outputs, said = columns("odin")
    quality, length_reward, alike = outputs.T
    ranking_loss = bradley_terry(
        (quality + length_reward)[said.preferred] - (quality + length_reward)[said.other], said.preference
    )
    numbers = said.length.numpy()
    follows = abs(np.corrcoef(quality, numbers)[0, 1]) - np.corrcoef(length_reward, numbers)[0, 1]
    expected = ranking_loss + 0.5 * follows + 2.0 * abs(alike[0])
    assert torch.allclose(odin(outputs, said, length_weight=0.5, orthogonal_weight=2.0), expected)


@pytest.mark.parametrize("name", COUPLED)
def test_gradients_are_those_of_finite_differences(name):
    outputs, said = columns(name, 1)
    loss = LOSSES[name]
    if name == "uncertainty":  # whose weights have no gradient: they are held still
        weights = agreement_weights(outputs[said.preferred, 1:] - outputs[said.other, 1:], said.weight)
        free = choose(name, {"strength": 0.0}).values
        assert torch.autograd.gradcheck(lambda o: weights * free(o, said), (outputs.requires_grad_(),))
        (real,) = torch.autograd.grad(loss.values(outputs, said).sum(), outputs)
        (held,) = torch.autograd.grad((weights * free(outputs, said)).sum(), outputs)
        assert torch.allclose(real, held)
    else:
        assert torch.autograd.gradcheck(lambda o: loss.values(o, said), (outputs.requires_grad_(),))


def rows():
    pairs = [pair(f"Which is larger, {k} or {k + 3}? " + "Think. " * (k % 4), f"It is {k + 3}.", f"{k}, I think.")
             for k in range(5)]  # fmt: skip
    return [*pairs, ranking("List", "a good answer", "a middling one", "bad"), pair("tie?", "a", "b", preference=0.5)]


def gradient(name, budget, *, options=None, dropout=NO_DROPOUT, model_dropout=0.0):
    model = tiny(head_scale=20.0)
    loss = choose(name, options)
    attach_outputs(model.network, loss.outputs, members=loss.members, seed=3)
    if model_dropout:
        model.network.hf.base_model.layers[0].mlp.register_forward_hook(
            lambda module, inputs, output: torch.nn.functional.dropout(output, model_dropout)
        )
    if extra.NAME in dict(model.network.hf.named_children()) and name != "contrastive":
        with torch.no_grad():
            getattr(model.network.hf, extra.NAME).weight.mul_(30)
    examples = encode_examples(rows(), model.encoder, share=True).examples
    torch.manual_seed(7)
    figures = accumulate(model.network, examples, loss, dropout=dropout, budget=budget)
    return figures, torch.cat([p.grad.flatten() for p in model.network.hf.parameters() if p.grad is not None])


@pytest.mark.parametrize(("name", "options"), [*((name, None) for name in COUPLED), ("odin", {"given_label": 1.0})])
@pytest.mark.parametrize("dropout", [NO_DROPOUT, Dropout(0.2, 5, 1)], ids=["plain", "dropout"])
def test_how_a_step_is_cut_never_changes_the_gradient_of_a_loss_that_couples_it(name, options, dropout):
    figures, whole = gradient(name, 10**6, options=options, dropout=dropout)
    for budget in (1, 300):
        other, cut = gradient(name, budget, options=options, dropout=dropout)
        assert (cut - whole).norm() <= 1e-5 * whole.norm()
        assert other.loss == pytest.approx(figures.loss, abs=1e-6)
        assert other.accuracy == pytest.approx(figures.accuracy)
        assert other.comparisons == figures.comparisons == 9


def test_the_sum_over_micro_batches_by_themselves_would_be_another_gradient():
    """The negative control: correlations within each pass are others than that over the step."""
    _, whole = gradient("odin", 10**6)
    model = tiny(head_scale=20.0)
    attach_outputs(model.network, "odin", seed=3)
    with torch.no_grad():
        getattr(model.network.hf, extra.NAME).weight.mul_(30)
    for example in encode_examples(rows(), model.encoder, share=True).examples:
        accumulate(model.network, [example], choose("odin"), dropout=NO_DROPOUT, budget=10**6)
    apart = torch.cat([p.grad.flatten() for p in model.network.hf.parameters() if p.grad is not None]) / len(rows())
    assert (apart - whole).norm() > 0.05 * whole.norm()


def test_the_second_pass_draws_the_dropout_of_the_first():
    first, second = (gradient("odin", 300, model_dropout=0.3)[1] for _ in range(2))
    assert torch.equal(first, second)
    model = tiny()
    network = model.network
    attach_outputs(network, "odin", seed=3)
    drawn = []
    network.hf.base_model.layers[0].mlp.register_forward_hook(
        lambda module, inputs, output: drawn.append(torch.rand(1).item()) or output
    )
    examples = encode_examples(rows(), model.encoder, share=True).examples
    accumulate(network, examples, choose("odin"), dropout=NO_DROPOUT, budget=300)
    half = len(drawn) // 2
    assert drawn[:half] == drawn[half:]
    assert len(set(drawn)) == half > 1


def test_the_members_of_an_ensemble_have_the_reward_head_as_their_mean_and_leave_it_behind():
    model = tiny(head_scale=20.0)
    network = model.network
    before = network.head.weight.detach().clone()
    attach_outputs(network, "members", members=5, seed=1)
    members = extra.detach(network).weights(network.head.weight)
    assert members.shape == (5, network.head.in_features)
    assert np.allclose(members.mean(axis=0), before[0].numpy(), atol=1e-6)
    assert np.abs(members - members.mean(axis=0)).max() > 0
    assert extra.extra_of(network) is None
    assert extra.NAME not in dict(network.hf.named_children())


def test_a_contrast_of_what_is_frozen_is_refused(tmp_path):
    """The term says nothing to the head, so that the run would be one of bradley-terry."""

    def config(frozen):
        return Config(
            model="tiny", dataset=("x",), output=tmp_path, freeze_layers=frozen, loss=LossSettings(name="contrastive")
        )

    config(1)
    with pytest.raises(UsageError, match="keeps the features that --loss contrastive is about"):
        config(-1)
