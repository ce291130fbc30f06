"""Prompts that are nearly the same: kept on one side of a split, or found where they stand on two."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from rewardsmith.data.splitting import NEAR_PROMPT, SPLITS, Split, Splitter, group_key, group_of, position
from rewardsmith.quality.checks import Finding
from rewardsmith.quality.duplicates import THRESHOLD, Places
from rewardsmith.quality.near import NearIndex
from rewardsmith.records import Record

CHECK = "near_prompt_leak"


class Leak(NamedTuple):
    """A prompt on another side that is nearly the same."""

    place: str
    side: Split
    similarity: float


class NearPrompts:
    """The different openings of conversations, added with the rows that have them, then compared.

    Memory holds some hundred bytes per different opening. A record without a prompt is like no other.
    """

    def __init__(self, splitter: Splitter, threshold: float = THRESHOLD) -> None:
        self.splitter = splitter
        self.index = NearIndex(threshold)
        self.places = Places()
        self.positions = array("d")
        self.sides = array("b")
        self.known: set[int] = set()

    def add(self, record: Record) -> None:
        """Add the opening of a row, if it is new on its side."""
        group, key = group_of(record), self.key(record)
        if group == group_of_nothing(record) or key in self.known:
            return
        self.known.add(key)
        text = "\n".join(turn.partition("\x1f")[2] for turn in group.split("\x1e"))
        self.index.add(key, [text])
        self.places.add(record)
        self.positions.append(position(group, self.splitter.seed))
        self.sides.append(self.side(record))

    def side(self, record: Record) -> int:
        """The number of a record's side; -1 for all where the sides are still to be found."""
        return -1 if self.splitter.by == NEAR_PROMPT else SPLITS.index(self.splitter.side(record))

    def key(self, record: Record) -> int:
        """What tells one opening on one side from another."""
        side = self.side(record)
        return group_key(group_of(record) if side < 0 else f"{side}:{group_of(record)}")

    def settle(self) -> None:
        """Compare all openings, once they were added."""
        self.first, _ = self.index.distinct()
        self.near, _ = self.index.pairs(self.first, np.zeros(0, np.int64))

    def clusters(self) -> dict[int, float]:
        """For each opening that has near-duplicates, by its key, the place of its cluster in [0, 1).

        The cluster's place is that of its opening with the lowest SHA-256, so it does not hang on the order of rows.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count = len(self.first)
        first, second = self.near.first, self.near.second
        links = coo_array((np.ones(len(first), np.int8), (first, second)), (count, count))
        _, label = connected_components(links, directed=False)
        lowest = np.full(count, count, np.int64)
        np.minimum.at(lowest, label, np.arange(count))
        linked = np.unique(np.concatenate([first, second])).tolist()
        item = self.first
        return {self.index.keys[item[at]]: self.positions[item[lowest[label[at]]]] for at in linked}

    def leaks(self) -> dict[int, Leak]:
        """For each opening outside of train that has a near-duplicate on another side, by its key, the worst of them."""
        found: dict[int, Leak] = {}
        item = self.first
        for a, b, value in zip(*(part.tolist() for part in self.near[:3]), strict=True):
            for one, other in ((item[a], item[b]), (item[b], item[a])):
                side = SPLITS[self.sides[other]]
                if self.sides[one] in (self.sides[other], 0):
                    continue
                key = self.index.keys[one]
                known = found.get(key)
                if known is None or (side == "train", value) > (known.side == "train", known.similarity):
                    found[key] = Leak(self.places[other], side, value)
        return found


def group_of_nothing(record: Record) -> str:
    """The group of a record without a prompt."""
    return f"\x1d{record.id}"


def leak_finding(leak: Leak, record: Record) -> Finding:
    """A leak in one sentence."""
    detail = f"its prompt is {leak.similarity:.3f} like that of {leak.place}, which is in {leak.side}"
    return Finding(CHECK, "warning", record.place, detail)


def near_prompt_clusters(records: Iterable[Record], seed: int) -> dict[int, float]:
    """The places of the clusters of near-duplicate openings, for a `Splitter` that splits by near-prompt."""
    prompts = NearPrompts(Splitter(seed, by=NEAR_PROMPT))
    for record in records:
        prompts.add(record)
    prompts.settle()
    return prompts.clusters()
