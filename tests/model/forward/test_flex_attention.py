"""FlexAttention over trees, on the CPU: the mask made from the layout, and the attention under it."""

import numpy as np
import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask

from rewardsmith.model.forward.attention import flex as flex
from rewardsmith.model.forward.attention.layout import Layout, Segment
from rewardsmith.model.forward.attention.tree import segment_attention

LAYOUTS = {
    "pairs": [(5, (3, 1)), (2, (4, 6))],
    "nothing shared": [(0, (7,)), (0, (2, 9))],
    "borders on blocks": [(8, (4, 4)), (4, (8, 12))],
    "long": [(13, (21, 2)), (1, (1,)), (30, (3, 3, 3))],
    "one token": [(0, (1,))],
    "one text": [(0, (23,))],
}


def layout_of(name):
    return Layout(tuple(Segment(*lengths) for lengths in LAYOUTS[name]))


def random_layout(seed):
    draw = np.random.default_rng(seed)
    return Layout(
        tuple(
            Segment(int(draw.integers(0, 40)), tuple(map(int, draw.integers(1, 30, draw.integers(1, 5)))))
            for _ in range(draw.integers(1, 6))
        )
    )


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(flex, "SIDE", 4)


@pytest.mark.parametrize("layout", [*map(layout_of, LAYOUTS), *map(random_layout, range(20))])
def test_the_table_of_blocks_is_what_the_mask_itself_gives(small_blocks, layout):
    mask = flex.block_mask(layout, torch.device("cpu"))
    length = sum(layout.lengths)
    expected = create_block_mask(mask.mask_mod, 1, 1, length, length, device="cpu", BLOCK_SIZE=4)
    assert torch.equal(mask.to_dense(), expected.to_dense())
    found, whole = columns(mask), columns(expected)
    # A block of queries from two segments is never said to be whole, which costs a little and is not wrong.
    assert all(mine <= theirs for mine, theirs in zip(found, whole, strict=True))
    if len(layout.lengths) == 2 and layout.lengths[0] == 0:
        assert found == whole


def columns(mask):
    """For every block of queries, the blocks of keys that are seen whole."""
    counts, indices = mask.full_kv_num_blocks[0, 0].tolist(), mask.full_kv_indices[0, 0].tolist()
    return [set(row[:count]) for row, count in zip(indices, counts, strict=True)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_gives_what_separate_segments_give(name):
    # Forward only: FlexAttention has no backward pass on the CPU, its gradients follow from the same mask.
    results = []
    for attend in (flex.flex_tree_attention, lambda *given: segment_attention(*given, 0.0)):
        layout = layout_of(name)
        generator = torch.Generator().manual_seed(0)
        inputs = [torch.randn(1, heads, sum(layout.lengths), 16, generator=generator) for heads in (4, 2, 2)]
        results.append(attend(*inputs, layout, 0.25))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


def test_the_mask_is_made_once_for_all_layers(monkeypatch):
    layout, made = layout_of("pairs"), []
    monkeypatch.setattr(flex, "block_mask", lambda *given, real=flex.block_mask: (made.append(1), real(*given))[1])
    rows = torch.randn(1, 2, sum(layout.lengths), 16)
    for _ in range(3):
        flex.flex_tree_attention(rows, rows, rows, layout, None)
    assert made == [1]
