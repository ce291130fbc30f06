"""Margins of pairs → one reward per response, and how far the orders of showing agree."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Pair = tuple[int, int]


def rewards_of_margins(margins: Mapping[Pair, float], count: int) -> Float[np.ndarray, " K"]:
    """The rewards whose differences fit the margins best in least squares, with mean 0 (HodgeRank: Jiang, Lim, Yao & Ye,
    Mathematical Programming 127, 2011, equation 7 with equal weights).

    Two responses get plus and minus half of their margin. Responses that no chain of margins joins to the largest group (of
    equal ones the first) have NaN, as have all without any margin: their differences are not known.
    """
    rewards = np.full(count, np.nan)
    if not margins:
        return rewards
    first, second = np.array(list(margins)).T
    graph = coo_matrix((np.ones(first.size), (first, second)), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    sizes = np.bincount(group)
    members = np.flatnonzero(group == int(sizes.argmax()))
    place = {int(member): at for at, member in enumerate(members)}
    inside = [(pair, margin) for pair, margin in margins.items() if pair[0] in place]
    design = np.zeros((len(inside), members.size))
    for row, ((i, j), _) in enumerate(inside):
        design[row, place[i]], design[row, place[j]] = 1.0, -1.0
    found = np.linalg.lstsq(design, np.array([margin for _, margin in inside]), rcond=None)[0]
    rewards[members] = found - found.mean()
    return rewards


def joined(orders: Sequence[Mapping[Pair, float]], wanted: int) -> dict[Pair, list[float]]:
    """By pair (the smaller place first), its margin in each order; those with fewer than `wanted` are left out."""
    found: dict[Pair, list[float]] = {}
    for margins in orders:
        for (i, j), margin in margins.items():
            found.setdefault((min(i, j), max(i, j)), []).append(margin if i < j else -margin)
    return {pair: values for pair, values in found.items() if len(values) >= wanted}


def consistent(values: Sequence[float]) -> bool:
    """Whether every order prefers the same response, or none does."""
    return len({float(np.sign(value)) for value in values}) == 1
