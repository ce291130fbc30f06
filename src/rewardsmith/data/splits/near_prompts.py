"""Prompts that are nearly the same: kept on one side of a split, or found where they stand on two."""

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.data.splits.splitter import NEAR_PROMPT, SPLITS, Split, Splitter, group_key, group_of, position
from rewardsmith.errors import DataError
from rewardsmith.quality.cross_row.duplicates import THRESHOLD
from rewardsmith.quality.cross_row.minhash import Indices
from rewardsmith.quality.cross_row.near import Item, NearIndex, Prepared, Shingled, chosen, prepare
from rewardsmith.quality.row.checks import RowFinding
from rewardsmith.quality.row.fingerprints import U64, Places, located
from rewardsmith.records import Record

CHECK = "near_prompt_leak"
RECENT = 50_000
BATCH = 256


class Leak(NamedTuple):
    """A prompt on another side that is nearly the same."""

    place: str
    side: Split
    similarity: float


class Openings(NamedTuple):
    """The openings of some rows: a key for each row (0: none), shape (R,), and the different ones made ready.

    `fresh` are the keys of those, shape (O,), with their places in [0, 1) and the numbers of their sides.
    """

    keys: U64
    fresh: Prepared
    positions: npt.NDArray[np.float64]
    sides: npt.NDArray[np.int8]


def opening_text(record: Record) -> str:
    """The words of a conversation's opening: system turn and first user turn."""
    opening = [message.content for message in record.prompt if message.role == "system"]
    opening += [message.content for message in record.prompt if message.role == "user"][:1]
    return "\n".join(opening)


def openings_of(records: Sequence[Record | None], splitter: Splitter, shingled: Shingled) -> Openings:
    """The openings of some rows; `shingled` has the `opening_text` of each. None is a row whose opening does not count.

    A row that lacks the field to split by has none here; it is refused where its side is asked for.
    """
    keys = np.zeros(len(records), np.uint64)
    items: dict[int, Item] = {}
    positions, sides = [], []
    for at, record in enumerate(records):
        if record is None or (group := group_of(record)) == group_of_nothing(record):
            continue
        try:
            side = side_number(record, splitter)
        except DataError:
            continue
        key = group_key(group if side < 0 else f"{side}:{group}")
        keys[at] = key
        if key not in items:
            items[key] = Item(key, [opening_text(record)])
            positions.append(position(group, splitter.seed))
            sides.append(side)
    return Openings(keys, prepare(list(items.values()), shingled), np.array(positions), np.array(sides, np.int8))


def side_number(record: Record, splitter: Splitter) -> int:
    """The number of a record's side; -1 for all where the sides are still to be found."""
    return -1 if splitter.by == NEAR_PROMPT else SPLITS.index(splitter.side(record))


class NearPrompts:
    """The different openings of conversations, added with the rows that have them, then compared.

    Memory holds some hundred bytes per different opening. A record without a prompt is like no other.
    """

    def __init__(
        self,
        splitter: Splitter,
        threshold: float = THRESHOLD,
        places: Places | None = None,
        folder: Path | None = None,
    ) -> None:
        self.splitter = splitter
        self.index = NearIndex(threshold, folder)
        self.places = Places() if places is None else places
        self.rows = array("Q")
        self.positions = array("d")
        self.sides = array("b")
        self.known = KnownKeys()

    def add(self, record: Record) -> None:
        """Add a row with its place."""
        self.places.add(record)
        self.extend(openings_of([record], self.splitter, Shingled([opening_text(record)])))

    def extend(self, openings: Openings) -> None:
        """Add the next rows."""
        self.rows.frombytes(openings.keys.tobytes())
        new = self.known.new(openings.fresh.keys)
        self.index.extend(chosen(openings.fresh, new))
        self.positions.frombytes(openings.positions[new].tobytes())
        self.sides.frombytes(openings.sides[new].tobytes())

    @property
    def distinct(self) -> int:
        """How many different openings were added."""
        return len(self.positions)

    def key(self, row: int) -> int:
        """What tells the opening of a row, counted from 0, from others on its side; 0 for a row without one."""
        return self.rows[row]

    def settle(self, counted: npt.NDArray[np.bool_] | None = None) -> None:
        """Compare the openings of the rows that are `counted`, shape (rows,), or of all, once they were added."""
        rows = np.arange(len(self.rows)) if counted is None else np.flatnonzero(counted)
        present, first = np.unique(np.frombuffer(self.rows, np.uint64)[rows], return_index=True)
        keys = np.frombuffer(self.index.keys, np.uint64)
        self.first, _ = self.index.distinct(np.isin(keys, present))
        self.row_of = rows[first[np.searchsorted(present, keys[self.first])]] if len(self.first) else rows[:0]
        self.near, _ = self.index.pairs(self.first, np.zeros(0, np.int64))

    def clusters(self) -> dict[int, float]:
        """For each opening that has near-duplicates, by its key, the place of its cluster in [0, 1).

        The cluster's place is that of its opening with the lowest SHA-256, so it does not depend on the order of rows.
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
            for one, other in ((a, b), (b, a)):
                side = SPLITS[self.sides[item[other]]]
                if self.sides[item[one]] in (self.sides[item[other]], 0):
                    continue
                key = self.index.keys[item[one]]
                known = found.get(key)
                if known is None or (side == "train", value) > (known.side == "train", known.similarity):
                    found[key] = Leak(self.places[self.row_of[other]], side, value)
        return found


class KnownKeys:
    """A growing set of 64-bit numbers in little more than eight bytes each."""

    def __init__(self) -> None:
        self.sorted = np.zeros(0, np.uint64)
        self.recent: set[int] = set()

    def new(self, keys: U64) -> Indices:
        """Which of some different keys, shape (N,), were not there yet; they are from now on."""
        at = np.minimum(np.searchsorted(self.sorted, keys), max(len(self.sorted) - 1, 0))
        old = self.sorted[at] == keys if len(self.sorted) else np.zeros(len(keys), np.bool_)
        found = [n for n in np.flatnonzero(~old).tolist() if int(keys[n]) not in self.recent]
        self.recent.update(keys[found].tolist())
        if len(self.recent) > RECENT:
            self.sorted = np.union1d(self.sorted, np.fromiter(self.recent, np.uint64, len(self.recent)))
            self.recent.clear()
        return np.array(found, np.int64)


def group_of_nothing(record: Record) -> str:
    """The group of a record without a prompt."""
    return f"\x1d{record.id}"


def leak_finding(leak: Leak, record: Record) -> RowFinding:
    """A leak in one sentence."""
    detail = f"its prompt has similarity {leak.similarity:.3f} with that of {leak.place}, which is in {leak.side}"
    return RowFinding(CHECK, "warning", record.place, detail)


def near_prompt_clusters(records: Sequence[Record], seed: int) -> dict[int, float]:
    """The places of the clusters of near-duplicate openings, for a `Splitter` that splits by near-prompt."""
    prompts = NearPrompts(Splitter(seed, by=NEAR_PROMPT))
    for begin in range(0, len(records), BATCH):
        batch = records[begin : begin + BATCH]
        prompts.places.extend(located(batch))
        prompts.extend(openings_of(batch, prompts.splitter, Shingled([opening_text(record) for record in batch])))
    prompts.settle()
    return prompts.clusters()
