"""Attention over packed trees in bf16 on the CPU: plain matrix products, block by block of queries.

torch's own CPU kernel takes bf16 slower than fp32, and repeats the keys for grouped queries; matrix products in bf16 are
several times as fast on processors that have them. Query heads that share a key head are stacked into one product, and
a block of BLOCK queries meets no key after its own. Forward and backward together take a third to a half of the kernel's
time. The backward pass is that of softmax attention: dS = P * (dP - rowsum(dO * O)) (Dao et al. 2022, appendix B.2).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from rewardsmith.model.forward.attention.layout import Layout

BLOCK = 128  # queries; 64 to 256 take about the same time
KEPT = 512  # keys up to which a block's weights wait for the backward pass; beyond they are computed again


class Block(NamedTuple):
    """Queries `begin` to `end`; they see `shared` tokens of a prefix from `prefix` on, and their own from `own` on."""

    begin: int
    end: int
    own: int
    prefix: int
    shared: int

    def keys(self, rows: Float[Tensor, "G T D"]) -> Float[Tensor, "G S D"]:
        """The rows that these queries see, in order."""
        mine = rows[:, self.own : self.end]
        if not self.shared:
            return mine
        return torch.cat([rows[:, self.prefix : self.prefix + self.shared], mine], dim=1)

    def add_keys(self, total: Float[Tensor, "G T D"], part: Float[Tensor, "G S D"]) -> None:
        """Add gradients of the rows seen to those of all rows."""
        if self.shared:
            total[:, self.prefix : self.prefix + self.shared] += part[:, : self.shared]
        total[:, self.own : self.end] += part[:, self.shared :]


def blocks(layout: "Layout") -> Iterator[Block]:
    """The blocks of every prefix and branch, in the order of the row."""
    start = 0
    for segment in layout.segments:
        prefix = start
        for number, length in enumerate((segment.prefix, *segment.branches)):
            shared = segment.prefix if number else 0
            for begin in range(0, length, BLOCK):
                yield Block(start + begin, start + min(begin + BLOCK, length), start, prefix, shared)
            start += length


@lru_cache(maxsize=4 * BLOCK)
def later(length: int, dtype: torch.dtype) -> Float[Tensor, "N N"]:
    """-inf where a query would see a later one of its own block, 0 elsewhere."""
    return torch.full((length, length), float("-inf"), dtype=dtype).triu(1)


def stacked(block: Block, rows: Float[Tensor, "H T D"], groups: int) -> Float[Tensor, "G RN D"]:
    """A block's rows of all heads, heads that share their keys behind each other."""
    part = rows[:, block.begin : block.end]
    return part.reshape(groups, -1, part.shape[-1])


def weights(block: Block, query: Float[Tensor, "G RN D"], key: Float[Tensor, "G S D"]) -> Float[Tensor, "G RN S"]:
    """Softmax over the keys seen; `query` is scaled."""
    length = block.end - block.begin
    scores = torch.bmm(query, key.transpose(1, 2))
    scores.view(len(query), -1, length, key.shape[1])[..., -length:] += later(length, scores.dtype)
    return torch.softmax(scores, dim=-1)


class BlockAttention(torch.autograd.Function):
    """(query, key, value, layout, scaling) to the heads' outputs, (1, T, H, V)."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Float[Tensor, "1 H T D"],
        key: Float[Tensor, "1 G T D"],
        value: Float[Tensor, "1 G T V"],
        layout: "Layout",
        scaling: float,
    ) -> Float[Tensor, "1 T H V"]:
        """Output of every head; keeps what the backward pass needs."""
        q, k, v = query[0], key[0], value[0]
        heads, length = q.shape[:2]
        out = v.new_empty(length, heads, v.shape[-1])
        kept = []
        for block in blocks(layout):
            seen = block.keys(k)
            share = weights(block, stacked(block, q, len(k)) * scaling, seen)
            mixed = torch.bmm(share, block.keys(v))
            out[block.begin : block.end] = mixed.view(heads, -1, v.shape[-1]).transpose(0, 1)
            if seen.shape[1] <= KEPT:
                kept.append(share)
        ctx.save_for_backward(q, k, v, out, *kept)
        ctx.layout, ctx.scaling = layout, scaling
        return out[None]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Float[Tensor, "1 T H V"]) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of query, key and value."""
        q, k, v, out, *kept = ctx.saved_tensors
        upstream, waiting = gradient[0].transpose(0, 1), iter(kept)
        spread = (gradient[0] * out).sum(-1).t()[..., None]
        dq = torch.empty_like(q)
        # A prefix's keys collect from every branch: in fp32, so that small parts are not lost.
        dk, dv = (torch.zeros(rows.shape, dtype=torch.promote_types(rows.dtype, torch.float32)) for rows in (k, v))
        for block in blocks(ctx.layout):
            seen = block.keys(k)
            asked = stacked(block, q, len(k)) * ctx.scaling
            share = next(waiting) if seen.shape[1] <= KEPT else weights(block, asked, seen)
            above = stacked(block, upstream, len(k))
            block.add_keys(dv, torch.bmm(share.transpose(1, 2), above))
            inner = torch.bmm(above, block.keys(v).transpose(1, 2))
            inner -= stacked(block, spread, len(k))
            inner *= share
            dq[:, block.begin : block.end] = torch.bmm(inner, seen).view(len(q), -1, q.shape[-1])
            block.add_keys(dk, torch.bmm(inner.transpose(1, 2), asked))
        dq *= ctx.scaling
        return dq[None], dk.to(k.dtype)[None], dv.to(v.dtype)[None], None, None
