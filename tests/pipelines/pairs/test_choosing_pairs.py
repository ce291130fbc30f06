"""The choice of pairs, by hand and against every pair that there is."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.pairs.choosing import (
    CandidateSet,
    PairRule,
    choose_pairs,
    parse_requirement,
    values_named,
)


def candidates(rewards, lengths=None, satisfies=None, choosable=None, rejectable=None, texts=None):
    count = len(rewards)
    return CandidateSet(
        np.array(rewards, dtype=np.float64),
        np.array(lengths or [10.0] * count, dtype=np.float64),
        texts or [str(k) for k in range(count)],
        np.array(satisfies if satisfies is not None else [True] * count),
        np.array(choosable if choosable is not None else [True] * count),
        np.array(rejectable if rejectable is not None else [True] * count),
        np.zeros(count, dtype=bool),
    )


def chosen(found, counts=None, **rule):
    return [tuple(pair) for pair in choose_pairs(found, PairRule(**rule), Counter() if counts is None else counts)]


def test_best_against_worst():
    assert chosen(candidates([0.5, 2.0, -1.0])) == [(1, 2, 3.0)]


def test_ties_and_small_margins_make_no_pair_and_are_counted():
    counts = Counter()
    assert chosen(candidates([1.0, 1.0]), counts) == []
    assert chosen(candidates([1.0, 0.8]), counts, margin=0.5) == []
    assert counts == {"ties": 1, "small_margin": 1}
    assert chosen(candidates([1.0, 0.8, 0.0, 1.0]), select="all", margin=0.5) == [
        (0, 2, 1.0),
        (3, 2, 1.0),
        (1, 2, 0.8),
    ]


def test_responses_without_reward_and_repeated_ones_play_no_part():
    counts = Counter()
    found = candidates([1.0, np.nan, 0.0, 0.5], texts=["a", "b", "c", "a"])
    assert chosen(found, counts) == [(0, 2, 1.0)]
    assert counts == {"unscored": 1, "repeated": 1}
    assert chosen(candidates([1.0, np.nan]), counts) == []
    assert counts["too_few"] == 1


def test_the_largest_leads_are_kept():
    counts = Counter()
    assert chosen(candidates([0.0, 1.0, 3.0]), counts, select="all", per_prompt=2) == [(2, 0, 3.0), (2, 1, 2.0)]
    assert counts["over_limit"] == 1


def test_length_control_takes_the_shortest_near_the_best_and_the_longest_near_the_worst():
    found = candidates([10.0, 9.5, 0.4, 0.0], lengths=[90, 30, 80, 20])
    assert chosen(found) == [(0, 3, 10.0)]
    assert chosen(found, length_control=0.1) == [(1, 2, pytest.approx(9.1))]


def test_pairs_of_unlike_lengths_are_left_out():
    found = candidates([2.0, 1.0, 0.0], lengths=[10, 12, 100])
    assert chosen(found, length_ratio=1.5) == [(0, 1, 1.0)]
    assert chosen(found, length_ratio=1.5, select="all") == [(0, 1, 1.0)]
    counts = Counter()
    assert chosen(candidates([1.0, 0.0], lengths=[1, 9]), counts, length_ratio=2.0) == []
    assert counts["lengths"] == 1


def test_what_is_chosen_satisfies_the_requirement():
    unsafe_best = candidates([3.0, 2.0, 1.0], satisfies=[False, True, True])
    assert chosen(unsafe_best) == [(1, 2, 1.0)]
    one, other, lead = chosen(unsafe_best, violations="lose", select="all")[-1]
    assert (one, other) in ((1, 0), (2, 0))
    assert np.isnan(lead)
    assert chosen(unsafe_best, violations="drop", select="all") == [(1, 2, 1.0)]
    counts = Counter()
    assert chosen(candidates([1.0, 0.0], satisfies=[False, False]), counts) == []
    assert counts["none_satisfies"] == 1


def test_a_violation_that_loses_is_the_worst_whatever_its_reward():
    middle = candidates([5.0, 1.0, 3.0], satisfies=[True, True, False])
    assert chosen(middle, violations="lose") == [(0, 2, 2.0)]
    assert chosen(middle, violations="keep") == [(0, 1, 4.0)]
    assert chosen(candidates([5.0, 1.0, 3.0]), violations="lose") == [(0, 1, 4.0)]
    ((one, other, lead),) = chosen(candidates([2.0, 1.0, 3.0], satisfies=[True, True, False]), violations="lose")
    assert (one, other) == (0, 2)
    assert np.isnan(lead)


def test_a_truncated_response_can_only_be_rejected():
    assert chosen(candidates([3.0, 2.0, 1.0], choosable=[False, True, True])) == [(1, 2, 1.0)]
    assert chosen(candidates([3.0, 2.0, 1.0], choosable=[True, True, False])) == [(0, 2, 2.0)]


def test_anchors_alone_are_rejected():
    found = candidates(
        [2.0, 0.0, 1.0, 1.5], choosable=[True, True, False, False], rejectable=[False, False, True, True]
    )
    assert chosen(found) == [(0, 2, 1.0)]


numbers = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan]), min_size=1, max_size=6)


@given(numbers, st.data())
def test_all_pairs_are_those_that_the_definition_allows(rewards, data):
    count = len(rewards)
    satisfies, choosable = (data.draw(st.lists(st.booleans(), min_size=count, max_size=count)) for _ in range(2))
    lengths = data.draw(st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=count, max_size=count))
    found = candidates(rewards, lengths, satisfies, choosable)
    rule = {"margin": data.draw(st.sampled_from([0.0, 0.7])), "length_ratio": data.draw(st.sampled_from([None, 2.0]))}
    allowed = {
        (a, b)
        for a, b in permutations(range(count), 2)
        if satisfies[a] and choosable[a] and rewards[a] - rewards[b] > rule["margin"]
        and (rule["length_ratio"] is None or max(lengths[a], lengths[b]) <= 2 * min(lengths[a], lengths[b]))
    }  # fmt: skip
    assert {pair[:2] for pair in chosen(found, select="all", **rule)} == allowed
    best = chosen(found, **rule)
    assert len(best) <= 1
    assert {pair[:2] for pair in best} <= allowed


def test_requirements_are_read_and_wrong_ones_refused():
    values = np.array([-1.0, 0.0, 1.0, np.nan])
    assert parse_requirement("cost<0").holds(values).tolist() == [True, False, False, False]
    assert parse_requirement(" safe >= 0 ").holds(values).tolist() == [False, True, True, False]
    for wrong in ("cost", "cost=0", "<0", "cost<x", "cost<0 and safe>1"):
        with pytest.raises(UsageError, match="expected NAME<NUMBER"):
            parse_requirement(wrong)


def test_values_are_found_under_their_name_or_as_a_part_of_the_reward():
    sources = [{"reward_cost": [1, None]}, {"safe": (True, False), "cost": [5.0]}]
    assert np.array_equal(values_named("cost", sources, 2), [1.0, np.nan], equal_nan=True)
    assert values_named("safe", sources, 2).tolist() == [1.0, 0.0]
    assert values_named("helpful", sources, 2) is None
