"""Attention by blocks of queries: softmax attention over the tree, forward and backward, however the blocks fall."""

import pytest
import torch
import torch.nn.functional as F

from builders import ranking, tiny
from rewardsmith.model.forward.attention import blocks
from rewardsmith.model.forward.attention.blocks import BlockAttention
from rewardsmith.model.forward.attention.layout import Layout, Segment
from rewardsmith.model.forward.attention.tree import tree_attention

TREES = {
    "pairs": (Segment(5, (3, 1)), Segment(2, (4, 6))),
    "nothing shared": (Segment(0, (7,)), Segment(0, (2, 9))),
    "many branches": (Segment(11, (1, 2, 3, 4, 5)),),
}


def rows(layout, heads, width, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(1, sum(layout.lengths), heads, width, generator=generator, dtype=dtype)
    return drawn.transpose(1, 2).requires_grad_()  # as the projections of a model lie in memory


def dense(query, key, value, layout, scaling):
    """The same by one mask over the whole row: prefix and own branch, nothing later."""
    tree, branch = [], []
    for number, segment in enumerate(layout.segments):
        for k, length in enumerate((segment.prefix, *segment.branches)):
            tree += [number] * length
            branch += [k] * length
    tree, branch, place = torch.tensor(tree), torch.tensor(branch), torch.arange(len(tree))
    seen = (tree[:, None] == tree) & ((branch == 0) | (branch[:, None] == branch)) & (place[:, None] >= place)
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scaling, enable_gqa=True)
    return out.transpose(1, 2)


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize(("block", "kept"), [(128, 512), (2, 512), (3, 4)])
def test_it_is_softmax_attention_over_prefix_and_branch(monkeypatch, name, block, kept):
    monkeypatch.setattr(blocks, "BLOCK", block)
    monkeypatch.setattr(blocks, "KEPT", kept)
    layout = Layout(TREES[name])
    inputs = [rows(layout, heads, 8, torch.float64, heads) for heads in (4, 2, 2)]
    upstream = torch.randn(1, sum(layout.lengths), 4, 8, dtype=torch.float64)
    results = []
    for attend in (BlockAttention.apply, dense):
        out = attend(*inputs, layout, 0.3)
        results.append([out, *torch.autograd.grad(out, inputs, upstream)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_values_may_be_wider_than_keys():
    layout = Layout(TREES["pairs"])
    inputs = [
        rows(layout, 3, 4, torch.float64, 1),
        rows(layout, 1, 4, torch.float64, 2),
        rows(layout, 1, 6, torch.float64, 3),
    ]
    assert torch.autograd.gradcheck(lambda *given: BlockAttention.apply(*given, layout, 0.5), inputs)


def test_bf16_on_the_cpu_takes_it_and_agrees_with_the_kernel_within_its_precision(monkeypatch):
    layout = Layout((Segment(150, (40, 90)),))
    inputs = [rows(layout, heads, 16, torch.float32, heads) for heads in (4, 2, 2)]
    exact, _ = tree_attention(torch.nn.Identity(), *inputs, None, scaling=0.25, tree_layout=layout)
    calls = []
    monkeypatch.setattr(
        BlockAttention, "apply", lambda *given, real=BlockAttention.apply: (calls.append(1), real(*given))[1]
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough, _ = tree_attention(torch.nn.Identity(), *inputs, None, scaling=0.25, tree_layout=layout)
    assert calls == [1]
    assert rough.dtype == torch.bfloat16
    assert 1e-5 < (rough.float() - exact).abs().max() < 0.03
    tree_attention(torch.nn.Identity(), *inputs, None, scaling=0.25, tree_layout=layout)
    assert calls == [1]  # fp32 stays with the kernel, whose results are checked against plain transformers


def test_gradients_in_bf16_point_where_those_in_fp32_do():
    model = tiny()
    tree = [model.network.collate([build]) for build in trees(model)]
    gradients = []
    for dtype in (None, torch.bfloat16):
        model.network.autocast = dtype
        model.network.zero_grad()
        sum(model.network(batch).sum() for batch in tree).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.network.hf.parameters()]))
    assert F.cosine_similarity(*gradients, dim=0) > 0.999


def trees(model):
    from rewardsmith.scoring.trees import build_tree

    return [
        build_tree(model.encode(ranking("why is the sky blue?", "yes", "no, never", "because of it" * 5)).sequences)
    ]
