"""Rows that are nearly the same as another: clusters of them, and which one of each is kept.

What is found depends on the rows' content, never on their order; a second pass over what was kept finds nothing more.
"""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.quality.cross_row.minhash import Indices
from rewardsmith.quality.cross_row.near import (
    SHOWN_I,
    SHOWN_J,
    TIE,
    Item,
    Near,
    NearIndex,
    PairLabel,
    Prepared,
    Shingled,
    prepare,
)
from rewardsmith.quality.row.checks import EXCERPT_CHARS, RowFinding
from rewardsmith.quality.row.fingerprints import Places, fingerprint_of
from rewardsmith.records import Comparison, Record, Removed

CHECK = "near_duplicate"
OPPOSED = "near_contradiction"
THRESHOLD = 0.8

LARGEST = 10
"""Clusters that the quality report names, the largest first."""


class ClusterMember(NamedTuple):
    """A row in a cluster: the `twin` is the row most like it, of those that are kept where it is not."""

    cluster: str
    twin: str
    similarity: float
    kept: bool


class Clusters(NamedTuple):
    """For each distinct item: the lowest item of its cluster (-1: alone), its twin, their similarity, and if it is kept."""

    cluster: Indices
    twin: Indices
    similarity: npt.NDArray[np.float64]
    kept: npt.NDArray[np.bool_]
    opposed: dict[int, int]


class NearDuplicates:
    """Rows added one by one, then asked for each of them.

    Two rows are near-duplicates where prompt and responses are alike (see `NearIndex`) and no label is opposed; two
    rows that are alike and have opposed labels are a `near_contradiction` instead, and never a reason to remove one.
    """

    def __init__(self, threshold: float = THRESHOLD, places: Places | None = None, folder: Path | None = None) -> None:
        self.index = NearIndex(threshold, folder)
        self.places = Places() if places is None else places

    def add(self, record: Record) -> None:
        """Add the next row, and its place."""
        self.places.add(record)
        item = item_of(record, fingerprint_of(record).key)
        self.extend(prepare([item], Shingled(item.texts)))

    def extend(self, items: Prepared) -> None:
        """Add the next rows."""
        self.index.extend(items)

    def settle(self, counted: npt.NDArray[np.bool_] | None = None) -> None:
        """Find the clusters of the rows that are `counted`, shape (rows,), or of all, once all were added."""
        self.first, self.which = self.index.distinct(counted)
        self.found = clusters_of(self.index, self.first)

    def member(self, row: int) -> ClusterMember | None:
        """What became of a row, counted from 0; None where nothing is like it."""
        item = self.which[row]
        if self.found.cluster[item] < 0:
            return None
        cluster = f"{self.index.keys[self.first[self.found.cluster[item]]]:016x}"
        similarity, kept = float(self.found.similarity[item]), bool(self.found.kept[item])
        return ClusterMember(cluster, self.place(self.found.twin[item]), similarity, kept)

    def place(self, item: int) -> str:
        """The place of a distinct item's first row."""
        return self.places[int(self.first[item])]

    def summary(self) -> dict[str, Any]:
        """How many clusters there are, how many rows are in one, and the largest of them with a row to look at."""
        rows = np.flatnonzero(self.which >= 0)
        cluster = self.found.cluster[self.which[rows]]
        rows, cluster = rows[cluster >= 0], cluster[cluster >= 0]
        names, first, sizes = np.unique(cluster, return_index=True, return_counts=True)
        largest = sorted(zip((-sizes).tolist(), rows[first].tolist(), strict=True))[:LARGEST]
        return {
            "threshold": self.index.threshold,
            "clusters": len(names),
            "rows": len(rows),
            "largest": [{"rows": -size, "place": self.places[row]} for size, row in largest],
        }

    def findings(self, row: int, record: Record) -> list[RowFinding]:
        """What is to be said about a row: it is the near-duplicate of a row that is kept, or contradicts one."""
        found = []
        member = self.member(row)
        if member is not None and not member.kept:
            found.append(
                RowFinding(CHECK, "warning", record.place, f"similarity {member.similarity:.3f} with {member.twin}")
            )
        opposite = self.found.opposed.get(int(self.which[row]))
        if opposite is not None:
            detail = f"{self.place(opposite)} is nearly identical and prefers the other response"
            found.append(RowFinding(OPPOSED, "warning", record.place, detail))
        return found

    def removal(self, row: int, record: Record) -> Removed | None:
        """The ledger entry of a row whose near-duplicate is kept; None for any other row."""
        member = self.member(row)
        if member is None or member.kept:
            return None
        limit = self.index.threshold
        reason = f"nearly identical to {member.twin}: similarity {member.similarity:.3f}, threshold {limit:g}"
        text = record.responses[0].text[:EXCERPT_CHARS]
        return Removed(record.source, record.line, CHECK, reason, text, member.twin, member.similarity, limit)


def item_of(record: Record, key: int) -> Item:
    """What is compared of a row."""
    prompt = "\n".join(message.content for message in record.prompt)
    texts = ["\n".join(message.content for message in response.messages) for response in record.responses]
    return Item(key, [prompt, *texts], [label_of(comparison) for comparison in record.comparisons])


def label_of(comparison: Comparison) -> PairLabel:
    """A comparison in four numbers."""
    attribute = zlib.crc32(comparison.attribute.encode(errors="surrogatepass"))
    first = comparison.shown_first
    shown = SHOWN_I if first == comparison.i else SHOWN_J if first == comparison.j else 0
    return PairLabel(comparison.i, comparison.j, attribute, TIE * comparison.is_tie | shown)


def clusters_of(index: NearIndex, items: Indices) -> Clusters:
    """The clusters of distinct items, which are positions in `items`.

    In the order of their keys each item is kept unless one that is kept already is like it. This is repeated with
    what was kept until nothing more goes, since a crowded bucket shows only a part of its pairs at a time.
    """
    kept = np.ones(len(items), np.bool_)
    twin, similarity = np.full(len(items), -1, np.int64), np.zeros(len(items))
    tested = np.zeros(0, np.int64)
    edges: list[Near] = []
    while True:
        alive = np.flatnonzero(kept)
        near, tested = index.pairs(items[alive], tested)
        near = Near(alive[near.first], alive[near.second], near.similarity, near.opposed)
        edges.append(near)
        if not thin_out(near, kept, twin, similarity):
            break
    return clustered(Near(*(np.concatenate(parts) for parts in zip(*edges, strict=True))), kept, twin, similarity)


def thin_out(near: Near, kept: npt.NDArray[np.bool_], twin: Indices, similarity: npt.NDArray[np.float64]) -> bool:
    """Take out each item that is like a kept one before it; whether any went."""
    gone = False
    order = np.lexsort((near.first, -near.similarity, near.second))
    for at in order[~near.opposed[order]]:
        first, second = near.first[at], near.second[at]
        if kept[first] and kept[second]:  # the pairs of one second come best first, so this is its best twin
            kept[second], twin[second], similarity[second] = False, first, near.similarity[at]
            gone = True
    return gone


def clustered(near: Near, kept: npt.NDArray[np.bool_], twin: Indices, similarity: npt.NDArray[np.float64]) -> Clusters:
    """Connected items share a cluster, named after its lowest; a kept item's twin is the one most like it."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(kept)
    same = ~near.opposed
    first, second, alike = near.first[same], near.second[same], near.similarity[same]
    links = coo_array((np.ones(len(first), np.int8), (first, second)), (count, count))
    _, label = connected_components(links, directed=False)
    lowest = np.full(count, count, np.int64)
    np.minimum.at(lowest, label, np.arange(count))
    linked = np.zeros(count, np.bool_)
    linked[first] = linked[second] = True
    for a, b, value in zip([*first, *second], [*second, *first], [*alike, *alike], strict=True):
        if kept[a] and (value, -b) > (similarity[a], -twin[a]):
            twin[a], similarity[a] = b, value
    opposed: dict[int, int] = {}
    for a, b in zip(near.first[near.opposed].tolist(), near.second[near.opposed].tolist(), strict=True):
        opposed.setdefault(b, a)
        opposed.setdefault(a, b)
    return Clusters(np.where(linked, lowest[label], -1), twin, similarity, kept, opposed)
