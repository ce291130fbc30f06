"""Token sequences of one record as a prefix tree: what the K texts share is stored, and computed, once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

Ids = Int32[np.ndarray, " _"]  # one token sequence, of any length


@dataclass(frozen=True)
class TokenTree:
    """`prefix` followed by one of `branches` is one token sequence; a branch holds at least one token.

    Position ids of every branch continue from the prefix; a branch sees the prefix and itself only. `answers` counts the
    trailing tokens of each sequence that are its answer (they may begin in the prefix); empty where nobody asks.
    With `ends` there is one branch and no prefix, and the sequences are its first tokens, so many each: a causal model
    gives the same for them as if each were computed by itself.
    """

    prefix: Ids
    branches: tuple[Ids, ...]
    answers: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """K, the number of sequences."""
        return len(self.ends or self.branches)

    @property
    def tokens(self) -> int:
        """Tokens to compute."""
        return len(self.prefix) + sum(map(len, self.branches))

    @property
    def depth(self) -> int:
        """Length of the longest sequence."""
        return len(self.prefix) + max(map(len, self.branches))

    @property
    def sequences(self) -> list[Ids]:
        """The K sequences, whole again."""
        if self.ends:
            return [self.branches[0][:end] for end in self.ends]
        return [np.concatenate([self.prefix, branch]) for branch in self.branches]


def build_tree(
    sequences: Sequence[Ids], *, share: bool = True, answers: Sequence[int] = (), nested: bool = False
) -> TokenTree:
    """One tree from K >= 1 non-empty sequences.

    The prefix is the longest common token prefix, at most the shortest sequence less one, so that every branch keeps
    the token that is pooled. With `share=False` (encoders) the prefix is empty. `nested` sequences each begin the next one.
    """
    if nested and share:
        return TokenTree(sequences[-1][:0], (sequences[-1],), tuple(answers), tuple(map(len, sequences)))
    length = common_prefix(sequences) if share and len(sequences) > 1 else 0
    return TokenTree(sequences[0][:length], tuple(ids[length:] for ids in sequences), tuple(answers))


def common_prefix(sequences: Sequence[Ids]) -> int:
    """Length of the longest common prefix, at most the shortest length - 1."""
    shortest = min(map(len, sequences)) - 1
    if shortest <= 0:
        return 0
    stacked = np.stack([ids[:shortest] for ids in sequences])
    differs = (stacked != stacked[0]).any(axis=0)
    return int(differs.argmax()) if differs.any() else shortest


def pack_padded(shapes: Sequence[tuple[int, int]], budget: int) -> list[list[int]]:
    """Indices of (width, rows) blocks grouped so that rows x widest of a bin stays within the budget: equals together."""
    bins: list[list[int]] = []
    widest = rows = 0
    for index in sorted(range(len(shapes)), key=lambda index: (-shapes[index][0], index)):
        width, more = shapes[index]
        if not bins or widest * (rows + more) > budget:
            bins.append([])
            widest, rows = width, 0
        bins[-1].append(index)
        rows += more
    return [sorted(group) for group in bins]


def pack(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """Indices grouped into bins of at most `budget` tokens: longest first, each into the first bin with room.

    An item larger than the budget gets a bin of its own. Bins and their contents come in a fixed order, so that the
    same sizes always give the same packing.
    """
    order = sorted(range(len(sizes)), key=lambda index: (-sizes[index], index))
    bins: list[list[int]] = []
    room: list[int] = []
    for index in order:
        place = next((k for k, free in enumerate(room) if free >= sizes[index]), None)
        if place is None:
            bins.append([index])
            room.append(budget - sizes[index])
        else:
            bins[place].append(index)
            room[place] -= sizes[index]
    return [sorted(group) for group in bins]
