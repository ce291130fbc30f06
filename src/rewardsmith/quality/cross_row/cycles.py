"""Preferences that form a circle: which, a shortest circle through each, and whether wrong labels alone explain them."""

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from rewardsmith.quality.cross_row.minhash import Indices

USUAL_WRONG = 0.1
"""The share of wrong labels that human preference data is granted: one in ten."""

CROWDED = 100
"""Responses compared with more others are left out where triples are counted, so that memory stays small."""


class Edge(NamedTuple):
    """One response preferred to another by most rows that compare the two, and the first of these rows."""

    better: int
    worse: int
    row: int


def circles(better: Indices, worse: Indices, row: Indices) -> tuple[dict[int, tuple[int, ...]], dict[int, int]]:
    """For each row that takes part in a circle of preferences, a shortest one through it: its rows, in their order; and
    for each row that speaks against a preference of a circle, a row that has it.

    Of each two responses the majority of the rows counts, and none where they are even (such pairs are contradictions,
    not circles). What is left is a graph in which every strongly connected component of more than one response holds a
    circle of three or more, and each of its preferences is part of one (Condorcet 1785). The rows against them belong to
    it: without the majority they would count, and could form another circle.
    """
    edges = inside_components(majority(better, worse, row))
    onward: dict[int, list[Edge]] = {}
    for edge in edges:
        onward.setdefault(edge.better, []).append(edge)
    found: dict[int, tuple[int, ...]] = {}
    beside: dict[int, int] = {}
    decided = {(edge.better, edge.worse): edge for edge in edges}
    for a, b, each in zip(better.tolist(), worse.tolist(), row.tolist(), strict=True):
        if (b, a) in decided:
            beside[each] = decided[b, a].row
        if (a, b) not in decided:
            continue
        circle = (each, *(step.row for step in way(onward, b, a)))
        if each not in found or len(circle) < len(found[each]):
            found[each] = circle
    return found, beside


def majority(better: Indices, worse: Indices, row: Indices) -> tuple[Indices, Indices, Indices]:
    """(better, worse, first row) of each two responses on which a majority of rows agrees."""
    low, high = np.minimum(better, worse), np.maximum(better, worse)
    names, pair = np.unique(low << 32 | high, return_inverse=True)
    lead = np.bincount(pair, np.where(better < worse, 1, -1), minlength=len(names)) * 1.0
    agrees = np.where(better < worse, 1, -1) * lead[pair] > 0
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, pair[agrees], row[agrees])
    clear = lead != 0
    names, lead, first = names[clear], lead[clear], first[clear]
    low, high = names >> 32, names & 0xFFFFFFFF
    return np.where(lead > 0, low, high), np.where(lead > 0, high, low), first


def inside_components(graph: tuple[Indices, Indices, Indices]) -> list[Edge]:
    """The edges whose two ends lie in one strongly connected component."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    better, worse, _ = graph
    if not len(better):
        return []
    count = int(max(better.max(), worse.max())) + 1
    links = coo_array((np.ones(len(better), np.int8), (better, worse)), (count, count))
    _, label = connected_components(links, directed=True, connection="strong")
    inside = label[better] == label[worse]
    return [Edge(*each) for each in zip(*(part[inside].tolist() for part in graph), strict=True)]


def way(onward: dict[int, list[Edge]], start: int, goal: int) -> Iterable[Edge]:
    """A shortest way from one response to another along the edges, which has to exist."""
    came: dict[int, Edge] = {}
    waiting = deque([start])
    while goal not in came:
        for edge in onward[waiting.popleft()]:
            if edge.worse not in came and edge.worse != start:
                came[edge.worse] = edge
                waiting.append(edge.worse)
    steps = []
    while goal != start:
        steps.append(came[goal])
        goal = came[goal].better
    return reversed(steps)


class Triples(NamedTuple):
    """Three responses of which each two were compared: how many there are, and how many form a circle."""

    all: int
    circular: int

    @property
    def as_by_noise(self) -> bool:
        """Whether no more form a circle than USUAL_WRONG labels that are wrong by chance give, and two standard deviations.

        Of three preferences in order, each wrong with probability w, w (1 - w)^2 + w^2 (1 - w) = w (1 - w) are a circle.
        """
        expected = USUAL_WRONG * (1 - USUAL_WRONG) * self.all
        return self.circular <= expected + 2 * math.sqrt(expected)


def triples(better: Indices, worse: Indices, row: Indices) -> Triples:
    """Count the triples, by what the majority of rows says of each two."""
    from scipy.sparse import coo_array

    better, worse, _ = majority(better, worse, row)
    degree = np.bincount(np.concatenate([better, worse]))
    kept = (degree[better] <= CROWDED) & (degree[worse] <= CROWDED)
    links = coo_array((np.ones(int(kept.sum()), np.int64), (better[kept], worse[kept])), (len(degree),) * 2).tocsr()
    two_steps = links @ links
    straight, round_about = (int(two_steps.multiply(each).sum()) for each in (links, links.T))
    return Triples(straight + round_about // 3, round_about // 3)
