import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.scoring.trees import build_tree, pack, pack_padded

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=5)


def arrays(lists):
    return [np.array(ids, dtype=np.int32) for ids in lists]


def test_the_prefix_is_the_longest_common_one():
    tree = build_tree(arrays([[7, 8, 9, 1], [7, 8, 9, 2, 3]]))
    assert tree.prefix.tolist() == [7, 8, 9]
    assert [branch.tolist() for branch in tree.branches] == [[1], [2, 3]]
    assert tree.tokens == 6


def test_a_sequence_that_begins_another_keeps_its_last_token():
    tree = build_tree(arrays([[7, 8], [7, 8, 9]]))
    assert tree.prefix.tolist() == [7]
    assert [branch.tolist() for branch in tree.branches] == [[8], [8, 9]]


def test_one_response_alone_shares_nothing():
    assert build_tree(arrays([[1, 2, 3]])).prefix.size == 0


@given(sequences)
def test_prefix_and_branch_give_back_every_sequence(lists):
    tree = build_tree(arrays(lists))
    assert [ids.tolist() for ids in tree.sequences] == lists
    assert all(branch.size for branch in tree.branches)


@given(sequences)
def test_the_prefix_cannot_be_longer(lists):
    tree = build_tree(arrays(lists))
    one_more = len(tree.prefix) + 1
    if len(lists) > 1 and one_more < min(map(len, lists)):
        assert len({tuple(ids[:one_more]) for ids in lists}) > 1


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 50))
def test_packing_loses_nothing_and_keeps_the_budget(sizes, budget):
    bins = pack(sizes, budget)
    assert sorted(index for group in bins for index in group) == list(range(len(sizes)))
    assert all(len(group) == 1 or sum(sizes[index] for index in group) <= budget for group in bins)


def test_packing_fills_bins_by_size():
    assert pack([5, 1, 4, 2], 6) == [[0, 1], [2, 3]]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 3)), max_size=30), st.integers(1, 200))
def test_padded_bins_count_their_padding(shapes, budget):
    bins = pack_padded(shapes, budget)
    assert sorted(index for group in bins for index in group) == list(range(len(shapes)))
    for group in bins:
        computed = max(shapes[index][0] for index in group) * sum(shapes[index][1] for index in group)
        assert len(group) == 1 or computed <= budget


def test_a_long_row_is_not_padded_with_short_ones():
    assert pack_padded([(10, 1), (1000, 1), (10, 1)], 1000) == [[1], [0, 2]]
