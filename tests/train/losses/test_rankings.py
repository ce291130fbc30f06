"""Plackett-Luce: against pairs, an outside implementation, and all orders of ties."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch

from rewardsmith.errors import TrainingError
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.plackett_luce import plackett_luce
from rewardsmith.train.losses.rankings import Choices, choices_of, levels_of, rows_of


def choices(*rankings, counts):
    """Choices of several records from their comparisons (i, j, preference)."""
    found = [choices_of(*columns(each), count) for each, count in zip(rankings, counts, strict=True)]
    offsets = np.cumsum([0, *counts])
    rows = [
        row
        for each, offset in zip(found, offsets, strict=False)
        for row in rows_of(each, offset=int(offset), width=max(counts))
    ]
    members, mask, chosen = zip(*rows, strict=True)
    every = [choice for each in found for choice in each]
    return Choices(
        torch.tensor(members), torch.tensor(mask), torch.tensor(chosen).double(),
        torch.tensor([c.weight for c in every]).double(), torch.tensor([c.pick for c in every]),
        torch.tensor([number for number, each in enumerate(found) for _ in each]),
    )  # fmt: skip


def columns(comparisons):
    i, j, preference = zip(*comparisons, strict=True)
    return np.array(i), np.array(j), np.array(preference, dtype=np.float32)


def ordered(order):
    """Every comparison of a strict ranking, best first."""
    return [(i, j, 1.0) for i, j in combinations(order, 2)]


def value(rewards, comparisons, **options):
    found = choices(comparisons, counts=[len(rewards)])
    return plackett_luce(torch.tensor(rewards, dtype=torch.float64), found, records=1, **options).item()


def test_a_ranking_of_three_by_hand():
    rewards = [math.log(3), math.log(2), 0.0]
    # 3/6 for the first, 2/3 for the second of the rest; the last is no choice
    assert value(rewards, ordered([0, 1, 2])) == pytest.approx(-(math.log(3 / 6) + math.log(2 / 3)) / 2)


@pytest.mark.parametrize("preference", [1.0, 0.5])
def test_of_two_responses_it_is_bradley_terry_also_where_they_tie(preference):
    rewards = [0.7, -0.4]
    expected = bradley_terry(torch.tensor([1.1]).double(), torch.tensor([preference]).double()).item()
    assert value(rewards, [(0, 1, preference)]) == pytest.approx(expected)


def test_it_is_the_likelihood_of_choix():
    choix = pytest.importorskip("choix")
    from choix.utils import log_likelihood_rankings

    draw = np.random.default_rng(0)
    for count in (2, 3, 5, 8):
        rewards = draw.normal(size=count).tolist()
        order = draw.permutation(count).tolist()
        likelihood = log_likelihood_rankings([order], np.array(rewards))
        assert value(rewards, ordered(order)) * (count - 1) == pytest.approx(-likelihood)
    assert choix.__name__ == "choix"


def test_the_first_place_alone_is_the_cross_entropy_of_a_softmax():
    rewards = [0.3, -1.0, 2.0, 0.1]
    expected = torch.nn.functional.cross_entropy(torch.tensor([rewards]).double(), torch.tensor([1])).item()
    assert value(rewards, ordered([1, 0, 2, 3]), top=1.0) == pytest.approx(expected)
    best_of_four = [(1, j, 1.0) for j in (0, 2, 3)]  # the others were not compared with each other
    assert value(rewards, best_of_four) == pytest.approx(expected)


def test_the_probabilities_of_all_rankings_sum_to_one():
    rewards = [0.3, -1.0, 2.0, 0.1]
    total = sum(math.exp(-3 * value(rewards, ordered(order))) for order in permutations(range(4)))
    assert total == pytest.approx(1)


def test_ties_are_the_mean_over_all_orders_of_the_equals():
    rewards = [0.3, -1.0, 2.0, 0.1, 0.9]
    tied = {(1, 2), (1, 3), (2, 3)}  # best 0, then 1, 2 and 3 equal, worst 4
    comparisons = [(i, j, 0.5 if (i, j) in tied else 1.0) for i, j in combinations(range(5), 2)]
    orders = [[0, *middle, 4] for middle in permutations((1, 2, 3))]
    mean = np.mean([value(rewards, ordered(order)) for order in orders])
    assert value(rewards, comparisons) == pytest.approx(mean)


def test_the_order_in_which_responses_stand_plays_no_part():
    rewards, order = [0.3, -1.0, 2.0, 0.1], [2, 0, 3, 1]
    moved = [3, 1, 0, 2]  # response k stands at moved[k] now
    elsewhere = [rewards[moved.index(place)] for place in range(4)]
    assert value(elsewhere, ordered([moved[k] for k in order])) == pytest.approx(value(rewards, ordered(order)))


def test_a_constant_added_changes_nothing_and_the_gradient_is_that_of_finite_differences():
    rewards = torch.randn(7, dtype=torch.float64, requires_grad=True)
    found = choices(ordered([2, 0, 1, 3]), [(0, 1, 1.0), (1, 2, 0.5), (0, 2, 1.0)], counts=[4, 3])
    assert torch.allclose(
        plackett_luce(rewards + 5, found, records=2), plackett_luce(rewards, found, records=2), atol=1e-12
    )
    assert torch.autograd.gradcheck(lambda r: plackett_luce(r, found, records=2), (rewards,))


def test_what_the_comparisons_leave_open_is_no_order():
    circle = [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)]
    assert levels_of(*columns(circle), 3) == ([], [0, 1, 2])
    assert choices_of(*columns(circle), 3) == []
    chain = [(0, 1, 1.0), (1, 2, 1.0)]  # 0 and 2 were never compared
    assert choices_of(*columns(chain), 3) == []
    below = [(0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0), (1, 2, 1.0)]
    assert levels_of(*columns(below), 4) == ([[0]], [1, 2, 3])


def test_repeated_comparisons_of_a_pair_count_by_their_mean():
    twice = [(0, 1, 1.0), (1, 0, 1.0), (0, 2, 1.0), (1, 2, 1.0)]
    assert levels_of(*columns(twice), 3) == ([[0, 1], [2]], [])


def test_more_ties_than_all_orders_allow_are_refused_with_what_to_do():
    first, second = map(np.array, zip(*combinations(range(11), 2), strict=True))
    with pytest.raises(TrainingError, match=r"11 responses of one ranking .* at most 10.* --loss davidson"):
        choices_of(first, second, np.full(len(first), 0.5), 11)
