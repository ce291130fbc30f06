"""Attention over packed trees on CUDA: FlexAttention with a block mask that is made from the layout.

Which blocks of 128 x 128 tokens hold anything is told by the lengths of prefixes and branches alone, so no mask over the
row is built (at 32k tokens it would have 10^9 entries), and nothing is read back from the device.
"""

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

if TYPE_CHECKING:
    from rewardsmith.model.forward.attention.layout import Layout

SIDE = 128  # tokens of a mask block; FlexAttention's own default


def fits(query: Tensor, dropout: float) -> bool:
    """Whether FlexAttention takes this: reduced precision on CUDA with a compiler; fp32 stays with exact kernels."""
    reduced = query.dtype in (torch.bfloat16, torch.float16)
    return query.device.type == "cuda" and reduced and not dropout and importlib.util.find_spec("triton") is not None


def flex_tree_attention(
    query: Float[Tensor, "1 H T D"],
    key: Float[Tensor, "1 G T D"],
    value: Float[Tensor, "1 G T V"],
    layout: "Layout",
    scaling: float | None,
) -> Float[Tensor, "1 T H V"]:
    """Every head's output; the mask is made at the first layer and kept in the layout."""
    mask = layout.block_mask
    if mask is None:
        mask = layout.block_mask = block_mask(layout, query.device)
    shared = query.shape[1] != key.shape[1]
    attend = compiled() if query.device.type == "cuda" else plain()
    out = attend(query, key, value, block_mask=mask, scale=scaling, enable_gqa=shared)
    return out.transpose(1, 2)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def compiled() -> Callable[..., Any]:
    """FlexAttention for rows of any length; compiled once."""
    return torch.compile(flex_attention, dynamic=True)  # type: ignore[no-any-return]


def plain() -> Callable[..., Any]:
    """The same without a compiler: slow, for tests on the CPU."""
    return flex_attention  # type: ignore[no-any-return, return-value, unused-ignore]


def block_mask(layout: "Layout", device: torch.device) -> BlockMask:
    """A token sees earlier tokens of its tree that lie in the prefix or in its own branch."""
    tree, branch = (torch.from_numpy(ids).to(device, non_blocking=True) for ids in owners(layout))

    some, whole = (listed(blocks, device) for blocks in block_table(layout))
    length = sum(layout.lengths)
    return BlockMask.from_kv_blocks(
        *some,
        *whole,
        BLOCK_SIZE=SIDE,
        # A bare lambda: FlexAttention looks at its signature, and would not see through a check of its arguments.
        mask_mod=lambda _, head, q, k: (q >= k) & (tree[q] == tree[k]) & ((branch[k] == 0) | (branch[k] == branch[q])),
        seq_lengths=(length, length),
    )


def owners(layout: "Layout") -> tuple[Int32[np.ndarray, " T"], Int32[np.ndarray, " T"]]:
    """The tree of every token, and its branch: 0 is the prefix."""
    lengths = [(segment.prefix, *segment.branches) for segment in layout.segments]
    trees = [np.full(sum(parts), number, np.int32) for number, parts in enumerate(lengths)]
    branches = [np.repeat(np.arange(len(parts), dtype=np.int32), parts) for parts in lengths]
    return np.concatenate(trees), np.concatenate(branches)


def block_table(layout: "Layout") -> tuple[Bool[np.ndarray, "Q K"], Bool[np.ndarray, "Q K"]]:
    """Which blocks are seen in part, and which as a whole (no token of them needs the mask)."""
    side = -(-sum(layout.lengths) // SIDE)
    touched, whole = np.zeros((2, side, side), dtype=bool)
    start = 0
    for segment in layout.segments:
        prefix = start
        for number, length in enumerate((segment.prefix, *segment.branches)):
            seen = [(start, start + length)] + ([(prefix, prefix + segment.prefix)] if number else [])
            for row in range(start // SIDE, -(-(start + length) // SIDE)) if length else ():
                last = min((row + 1) * SIDE, start + length)  # one past the last of these queries in this block
                inside = start <= row * SIDE and last == (row + 1) * SIDE
                for begin, end in seen:
                    if end > begin:
                        touched[row, begin // SIDE : -(-min(end, last) // SIDE)] = True
                    if inside:  # whole blocks of keys that all of these queries see, so none after the first query
                        whole[row, -(-begin // SIDE) : min(end, row * SIDE + 1) // SIDE] = True
            start += length
    return touched & ~whole, whole


def listed(
    blocks: Bool[np.ndarray, "Q K"], device: torch.device
) -> tuple[Int32[Tensor, "1 1 Q"], Int32[Tensor, "1 1 Q K"]]:
    """How many blocks each row has, and their columns, those first."""
    counts = blocks.sum(axis=1).astype(np.int32)
    columns = np.argsort(~blocks, axis=1, kind="stable").astype(np.int32)
    return tuple(torch.from_numpy(values)[None, None].to(device, non_blocking=True) for values in (counts, columns))  # type: ignore[return-value]
