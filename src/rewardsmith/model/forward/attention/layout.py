"""Where the trees of a micro-batch lie in their packed row, as attention has to know it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


@dataclass(frozen=True)
class Segment:
    """One tree in the row: the length of its prefix (0 = nothing shared), and the lengths of its branches."""

    prefix: int
    branches: tuple[int, ...]


class Layout:
    """Where each tree's segments lie in the packed row; keeps the branch masks so that all layers share them."""

    def __init__(self, segments: tuple[Segment, ...]) -> None:
        self.segments = segments
        self.lengths = [length for segment in segments for length in (segment.prefix, *segment.branches)]
        self.depth = max(
            (max((segment.prefix + n for n in segment.branches), default=0) for segment in segments), default=0
        )
        self.lone = sum(length > 0 for length in self.lengths) == 1  # one text and nothing else in the row
        self.block_mask: BlockMask | None = None  # for FlexAttention, made when it is first asked for
        self._masks: dict[tuple[int, int, torch.dtype], Float[Tensor, "R PR"]] = {}

    def mask(self, prefix: int, branch: int, like: Tensor) -> Float[Tensor, "R PR"]:
        """A branch sees the whole prefix and itself up to each token: 0 where seen, -inf elsewhere."""
        key = (prefix, branch, like.dtype)
        if key not in self._masks:
            blocked = torch.full((branch, prefix + branch), float("-inf"), dtype=like.dtype, device=like.device)
            self._masks[key] = blocked.triu(prefix + 1)
        return self._masks[key]
