"""Rankings as choices: who was picked out of whom, from the comparisons of a record."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rewardsmith.errors import TrainingError

MOST_TIED = 10
"""Responses tied with each other in one ranking; every subset of them is a choice, 1,023 for ten."""


@dataclass(frozen=True)
class Choices:
    """S choices out of at most K responses each, of several records.

    `members` are indices of responses (of no meaning where `mask` is False), `chosen` the share of each member in being
    picked, `weight` the probability that this choice was met, `pick` its number in the ranking from 0, `record` its record.
    """

    members: Int64[Tensor, "S K"]
    mask: Bool[Tensor, "S K"]
    chosen: Float[Tensor, "S K"]
    weight: Float[Tensor, " S"]
    pick: Int64[Tensor, " S"]
    record: Int64[Tensor, " S"]


class Pick(NamedTuple):
    """One response picked among `tied`, which are equal, with `below` also there: met with probability `weight`."""

    tied: tuple[int, ...]
    below: tuple[int, ...]
    weight: float
    pick: int


def levels_of(
    preferred: Int64[np.ndarray, " C"], other: Int64[np.ndarray, " C"], preference: Float[np.ndarray, " C"], count: int
) -> tuple[list[list[int]], list[int]]:
    """The responses from best to worst, equals together, and those that the comparisons leave without an order.

    A level is made of those who are compared with all that remain and lose to none. Where there is no such response
    (comparisons are missing, or go in a circle), what remains has no order. Several comparisons of one pair count by
    their mean.
    """
    total, seen = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(total, (preferred, other), preference)
    np.add.at(total, (other, preferred), 1 - preference)
    np.add.at(seen, (preferred, other), 1)
    np.add.at(seen, (other, preferred), 1)
    holds = (total >= seen / 2) & (seen > 0) | np.eye(count, dtype=bool)
    levels: list[list[int]] = []
    left = list(range(count))
    while left:
        best = np.atleast_1d(holds[np.ix_(left, left)].all(axis=1))
        if not best.any():
            break
        levels.append([i for i, is_best in zip(left, best, strict=True) if is_best])
        left = [i for i, is_best in zip(left, best, strict=True) if not is_best]
    return levels, left


def choices_of(
    preferred: Int64[np.ndarray, " C"], other: Int64[np.ndarray, " C"], preference: Float[np.ndarray, " C"], count: int
) -> list[Pick]:
    """The choices that a ranking is made of; [] where the comparisons order nothing.

    Equals are picked in an order that nobody knows: each subset of them that may remain is a choice, met with the
    probability 1 over the number of subsets of its size. So a tie is both orders at half weight, never one at random.
    TrainingError where more than MOST_TIED responses are equal.
    """
    levels, unordered = levels_of(preferred, other, preference, count)
    if (tied := max(map(len, levels), default=0)) > MOST_TIED:
        raise TrainingError(
            f"{tied} responses of one ranking are tied with each other; --loss plackett-luce averages over all orders of at "
            f"most {MOST_TIED}. Remove the ranking, or use --loss davidson, which takes ties as they are"
        )
    found, pick = [], 0
    for number, level in enumerate(levels):
        below = (*(i for later in levels[number + 1 :] for i in later), *unordered)
        for size in range(len(level), 0, -1):
            if size + len(below) > 1:
                share = 1 / math.comb(len(level), size)
                found += [Pick(tied, below, share, pick) for tied in combinations(level, size)]
            pick += 1
    return found


def rows_of(choices: Sequence[Pick], *, offset: int, width: int) -> Iterator[tuple[list[int], list[bool], list[float]]]:
    """Members, mask and chosen shares of each choice, padded to `width`; indices moved by `offset`."""
    for choice in choices:
        members = [*choice.tied, *choice.below]
        empty = width - len(members)
        shares = [1 / len(choice.tied)] * len(choice.tied) + [0.0] * (len(choice.below) + empty)
        yield [i + offset for i in members] + [0] * empty, [True] * len(members) + [False] * empty, shares
