"""Attention over packed prefix trees, through transformers' own attention interface.

All trees of a micro-batch lie behind each other in one row: `[prefix | branch 1 | … | branch K | prefix | …]`. The
prefix attends to itself causally, each branch to the prefix and to itself; no mask over the whole row is ever built. bf16
on the CPU goes to `block_attention`, reduced precision on CUDA to `flex_attention`, everything else to scaled dot-product
attention, once per segment. The layout travels as a keyword argument through the model, so gradient checkpointing sees it.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from transformers import AttentionInterface

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.attention.blocks import BlockAttention
from rewardsmith.model.forward.attention.flex import fits, flex_tree_attention
from rewardsmith.model.forward.attention.layout import Layout

TREE_ATTENTION = "rewardsmith_tree"
# What attention functions of other families pass and plain attention would silently leave out.
UNSUPPORTED = ("softcap", "s_aux", "position_bias")


def tree_attention(
    module: torch.nn.Module,
    query: Float[Tensor, "1 H T D"],
    key: Float[Tensor, "1 G T D"],
    value: Float[Tensor, "1 G T V"],
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    tree_layout: Layout | None = None,
    **others: Any,
) -> tuple[Float[Tensor, "1 T H V"], None]:
    """Attention function for `AttentionInterface`; refuses what it would compute wrongly."""
    if tree_layout is None:
        raise ModelError("this architecture does not pass its arguments to attention, so prefix trees cannot be used")
    refuse_unsupported(tree_layout, attention_mask, sliding_window, others)
    if not dropout and multiplies_in_bf16(query):
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        rows = (given.to(torch.bfloat16) for given in (query, key, value))
        attended: Tensor = BlockAttention.apply(*rows, tree_layout, scale)  # type: ignore[no-untyped-call]
        return attended, None
    if fits(query, dropout):
        return flex_tree_attention(query, key, value, tree_layout, scaling), None
    return segment_attention(query, key, value, tree_layout, scaling, dropout), None


def segment_attention(
    query: Float[Tensor, "1 H T D"],
    key: Float[Tensor, "1 G T D"],
    value: Float[Tensor, "1 G T V"],
    layout: Layout,
    scaling: float | None,
    dropout: float,
) -> Float[Tensor, "1 T H V"]:
    """One call of scaled dot-product attention for each prefix and each branch: any device, any precision.

    Texts that share nothing are plain causal attention, without a mask and without copies; one alone is not even cut out.
    """
    given, fast = query.dtype, fastest_dtype(query)

    def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """One call of torch's kernel, which skips what a causal mask hides only where it makes that mask itself."""
        return F.scaled_dot_product_attention(
            query, key, value,
            attn_mask=mask, is_causal=mask is None, dropout_p=dropout, scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip

    rows = tuple(one.to(fast) for one in (query, key, value))
    if layout.lone:
        return attend(*rows).transpose(1, 2).to(given)
    parts = []
    # One split for all segments: the backward pass of a slice would fill and add a whole row for every segment.
    pieces = zip(*(torch.split(one, layout.lengths, dim=2) for one in rows), strict=True)
    for segment in layout.segments:
        prefix_query, prefix_key, prefix_value = next(pieces)
        if segment.prefix:
            parts.append(attend(prefix_query, prefix_key, prefix_value))
        for length in segment.branches:
            branch_query, branch_key, branch_value = next(pieces)
            if not segment.prefix:
                parts.append(attend(branch_query, branch_key, branch_value))
                continue
            seen_keys = torch.cat([prefix_key, branch_key], dim=2)
            seen_values = torch.cat([prefix_value, branch_value], dim=2)
            parts.append(
                attend(branch_query, seen_keys, seen_values, layout.mask(segment.prefix, length, branch_query))
            )
    return torch.cat(parts, dim=2).transpose(1, 2).to(given)


def multiplies_in_bf16(query: Tensor) -> bool:
    """Whether this is the CPU, and matrix products are in bf16 (under autocast, rotary positions leave queries in fp32)."""
    if query.device.type != "cpu":
        return False
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    return dtype == torch.bfloat16


def fastest_dtype(query: Tensor) -> torch.dtype:
    """fp32 on the CPU, where torch's kernel takes half the time of bf16, forward and backward; else what is given."""
    return torch.float32 if query.device.type == "cpu" else query.dtype


def refuse_unsupported(
    layout: Layout, mask: Tensor | None, sliding_window: int | None, others: Mapping[str, Any]
) -> None:
    """ModelError where the attention asks for something that the trees would leave out; a window may be never reached."""
    ignored = [name for name in UNSUPPORTED if others.get(name) is not None]
    if sliding_window is not None and sliding_window < layout.depth:
        ignored.append(f"a window of {sliding_window} tokens")
    if ignored or mask is not None:
        raise ModelError(
            f"prefix trees do not support this attention ({', '.join(ignored) or 'its own attention mask'})"
        )


AttentionInterface.register(TREE_ATTENTION, tree_attention)
