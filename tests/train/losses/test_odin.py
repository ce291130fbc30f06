"""ODIN given the label: values by hand, what it leaves alone, and which head learns what."""

import dataclasses

import numpy as np
import pytest
import torch
from test_formulas import labels

from rewardsmith.errors import UsageError
from rewardsmith.train.losses import choose
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.odin import given_the_label, odin, pearson


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def pairs(lengths, preference, weight=None):
    """Pairs 0 > 1, 2 > 3, …, with the lengths of their responses."""
    count = len(lengths)
    said = labels(range(0, count, 2), range(1, count, 2), preference, count=count)
    more = {} if weight is None else {"unit_weight": double(weight)}
    return dataclasses.replace(said, length=double(lengths), record=torch.arange(count) // 2, **more)


def outputs_of(quality, length, alike=0.25):
    return torch.stack([double(quality), double(length), torch.full((len(quality),), alike).double()], dim=1)


def test_the_correlation_is_over_preferred_minus_other_by_hand():
    said = pairs([5, 1, 1, 2, 9, 6], [1.0, 1.0, 1.0])  # longer by 4, -1, 3
    reward = double([1.0, 0.5, 2.0, 0.0, 0.0, 3.0])  # ahead by 0.5, 2, -3
    assert given_the_label(reward, said).item() == pytest.approx(np.corrcoef([0.5, 2, -3], [4, -1, 3])[0, 1])


def test_a_share_of_judges_is_as_many_verdicts_each_way_by_hand():
    said = pairs([5, 1, 1, 2], [0.75, 1.0], weight=[4.0, 1.0])  # 3 verdicts one way, 1 the other, and 1 more
    reward = double([1.0, 0.5, 2.0, 0.0])
    ahead, longer = [0.5, 0.5, 0.5, -0.5, 2.0], [4, 4, 4, -4, -1]
    assert given_the_label(reward, said).item() == pytest.approx(np.corrcoef(ahead, longer)[0, 1])


def test_levels_of_prompts_count_over_responses_and_not_given_the_label():
    said = pairs([5, 1, 1, 2, 9, 6], [1.0, 1.0, 1.0])
    reward = double([1.0, 0.5, 2.0, 0.0, 0.0, 3.0])
    level = double([0.0, 0.0, 5.0, 5.0, 40.0, 40.0])
    moved = dataclasses.replace(said, length=said.length + level)
    assert given_the_label(reward + level, moved).item() == pytest.approx(given_the_label(reward, said).item())
    assert abs((pearson(reward + level, moved.length) - pearson(reward, said.length)).item()) > 0.5


def test_quality_that_goes_with_length_costs_over_responses_and_nothing_given_the_label():
    said = pairs([5, 1, 4, 1, 3, 2], [1.0, 1.0, 1.0])  # the better response is the longer one
    quality = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]  # and by how much says nothing of how much better it is
    assert pearson(double(quality), said.length).item() > 0.8
    assert given_the_label(double(quality), said).item() == 0.0


def test_the_loss_given_the_label_by_hand():
    said = pairs([5, 1, 1, 2, 9, 6], [1.0, 1.0, 1.0])
    quality, length = [1.0, 0.5, 2.0, 0.0, 0.0, 3.0], [2.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    ahead, longer, gap = [0.5, 2, -3], [4, -1, 3], [2.0, 0.0, 1.0]
    follows = abs(np.corrcoef(ahead, longer)[0, 1]) - np.corrcoef(gap, longer)[0, 1]
    expected = bradley_terry(double(ahead) + double(gap), said.preference) + 0.5 * follows + 2.0 * 0.25
    found = odin(outputs_of(quality, length), said, length_weight=0.5, orthogonal_weight=2.0, given_label=1.0)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize(("given", "learns"), [(0.0, True), (1.0, False)])
def test_only_in_the_paper_does_the_ranking_teach_the_head_of_length(given, learns):
    said = pairs([5, 1, 1, 2, 9, 6], [1.0, 1.0, 1.0])
    columns = outputs_of([1.0, 0.5, 2.0, 0.0, 0.0, 3.0], [2.0, 0.0, 0.0, 0.0, 1.0, 0.0]).requires_grad_()
    odin(columns, said, length_weight=0.0, orthogonal_weight=0.0, given_label=given).sum().backward()
    assert bool(columns.grad[:, 1].any()) is learns
    assert columns.grad[:, 0].all()


def test_the_paper_is_the_default_and_half_a_choice_is_refused():
    said, columns = pairs([5, 1, 1, 2], [1.0, 1.0]), outputs_of([1.0, 0.5, 2.0, 0.0], [2.0, 0.0, 0.0, 0.5])
    assert torch.equal(choose("odin").values(columns, said), choose("odin", {"given_label": 0.0}).values(columns, said))
    with pytest.raises(UsageError, match=r"--loss\.given-label 0\.5: expected a number in \[0, 1\]"):
        choose("odin", {"given_label": 0.5})


def test_equal_lengths_or_a_single_pair_have_no_correlation_and_finite_gradients():
    for said in (pairs([3, 3, 4, 4], [1.0, 1.0]), pairs([3, 1], [1.0])):
        columns = outputs_of([0.3, -0.2, 0.1, 0.4][: len(said.length)], [0.1, 0.2, 0.0, 0.3][: len(said.length)])
        columns.requires_grad_()
        odin(columns, said, given_label=1.0).sum().backward()
        assert given_the_label(columns[:, 0], said).item() == 0.0
        assert torch.isfinite(columns.grad).all()
