"""Which of many items of several texts are nearly the same: an index that keeps 100 bytes an item in memory.

The shingles themselves lie in a temporary file, for the exact comparison of the few pairs that share a band.
"""

import os
import tempfile
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.quality.cross_row.minhash import (
    BANDS,
    U32,
    U64,
    Indices,
    Sets,
    bands_of,
    candidates,
    jaccard,
    packed,
    shingle_sets,
)

HEAD = 3  # a block begins with: number of texts, number of labels, checksum of the exact texts
TIE = 1
SHOWN_I, SHOWN_J = 2, 4

SAME, OPPOSED, JUDGED_AGAIN = "same", "opposed", "again"


class PairLabel(NamedTuple):
    """Response i preferred to j; `flags` has TIE where it is a tie, and SHOWN_I or SHOWN_J where the order is known."""

    i: int
    j: int
    attribute: int
    flags: int

    @property
    def turned(self) -> "PairLabel":
        """The same comparison seen from the other side."""
        shown = {SHOWN_I: SHOWN_J, SHOWN_J: SHOWN_I}.get(self.flags & ~TIE, 0)
        return PairLabel(self.j, self.i, self.attribute, self.flags & TIE | shown)


class ItemBlock(NamedTuple):
    """One item as it lies in the file."""

    exact: int
    parts: list[U32]
    labels: list[PairLabel]


class Near(NamedTuple):
    """Pairs of items, first < second in the order of their keys, and how they are alike.

    `opposed` marks pairs whose labels say the opposite of each other.
    """

    first: Indices
    second: Indices
    similarity: npt.NDArray[np.float64]
    opposed: npt.NDArray[np.bool_]


class Item(NamedTuple):
    """Something to be compared: its texts, the first of which is compared with first texts only, and its labels.

    `key` is 64 bits of its content.
    """

    key: int
    texts: Sequence[str]
    labels: Sequence[PairLabel] = ()


class Prepared(NamedTuple):
    """Items made ready for a `NearIndex`, which can be done elsewhere: N keys, their bands (N, BANDS), the sizes of their
    blocks (N,), and the blocks one after another.
    """

    keys: U64
    bands: U32
    sizes: Indices
    blocks: U32


class Shingled:
    """The shingles of many texts, made together, each different text once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.number: dict[str, int] = {}
        for text in texts:
            self.number.setdefault(text, len(self.number))
        self.sets: Sets = shingle_sets(self.number)

    def of(self, text: str) -> U32:
        """The shingles of one of the texts."""
        return self.sets[self.number[text]]


def prepare(items: Sequence[Item | None], shingled: Shingled) -> Prepared:
    """Make items ready; `shingled` has all of their texts. None takes a place that is never asked for."""
    blocks: list[U32] = [np.zeros(0, np.uint32)]
    sizes, keys = np.zeros(len(items), np.int64), np.zeros(len(items), np.uint64)
    bands = np.zeros((len(items), BANDS), np.uint32)
    parts = [[] if item is None else [shingled.of(text) for text in item.texts] for item in items]
    for at, (item, sets) in enumerate(zip(items, parts, strict=True)):
        if item is None:
            continue
        head = head_of(item, sets)
        blocks += [head, *sets]
        sizes[at], keys[at] = len(head) + sum(map(len, sets)), item.key
    present = [at for at, sets in enumerate(parts) if sets]
    bands[present] = bands_of([parts[at] for at in present])
    return Prepared(keys, bands, sizes, np.concatenate(blocks))


def head_of(item: Item, sets: Sequence[U32]) -> U32:
    """How an item's block begins: HEAD numbers, the sizes of its texts' sets, and its labels, four numbers each."""
    exact = zlib.crc32("\0".join([item.texts[0], *sorted(item.texts[1:])]).encode(errors="surrogatepass"))
    labels = (value for label in item.labels for value in label)
    return np.array([len(sets), len(item.labels), exact, *map(len, sets), *labels], np.uint32)


def chosen(items: Prepared, which: Indices) -> Prepared:
    """Some of the items, in rising order."""
    if len(which) == len(items.keys):
        return items
    ends = np.cumsum(items.sizes)
    blocks = [items.blocks[ends[at] - items.sizes[at] : ends[at]] for at in which.tolist()]
    whole = np.concatenate(blocks) if blocks else items.blocks[:0]
    return Prepared(items.keys[which], items.bands[which], items.sizes[which], whole)


class NearIndex:
    """Items of texts, added one by one or many at once, then asked for all pairs that are alike.

    An item is a first text (the prompt) and any number of others (the responses). Two items are as similar as the least
    similar of their parts: the Jaccard similarity of the first texts, and of each other text with the one most like it
    in the other item. So a long prompt that two items share makes them no duplicates where an answer differs.
    `folder` is where the temporary file lies; default: where the system keeps such.
    """

    def __init__(self, threshold: float, folder: Path | None = None) -> None:
        self.threshold = threshold
        self.keys = array("Q")
        self.bands = array("I")
        self.starts = array("Q")
        self.file = tempfile.TemporaryFile(prefix="rewardsmith-near-", dir=folder)  # noqa: SIM115
        self.at = 0

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, key: int, texts: Sequence[str], labels: Sequence[PairLabel] = ()) -> None:
        """Add an item; of items with one key only the first counts."""
        self.extend(prepare([Item(key, texts, labels)], Shingled(texts)))

    def extend(self, items: Prepared) -> None:
        """Add items that were made ready."""
        ends = np.cumsum(items.sizes) + self.at
        self.keys.frombytes(items.keys.tobytes())
        self.bands.frombytes(items.bands.tobytes())
        self.starts.frombytes((ends - items.sizes).astype(np.uint64).tobytes())
        self.file.write(items.blocks.tobytes())
        self.at += len(items.blocks)

    def distinct(self, counted: npt.NDArray[np.bool_] | None = None) -> tuple[Indices, Indices]:
        """The first item of each key, in the order of the keys, and for every item which of these it is.

        Items that are not `counted`, shape (N,), are none (-1).
        """
        items = np.arange(len(self)) if counted is None else np.flatnonzero(counted)
        keys = np.frombuffer(self.keys, np.uint64)[items]
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        which = np.full(len(self), -1, np.int64)
        which[items] = inverse
        return items[first], which

    def pairs(self, items: Indices, tested: npt.NDArray[np.int64]) -> tuple[Near, npt.NDArray[np.int64]]:
        """The pairs of `items` (indices, in the order of their keys) that are alike, as positions in `items`.

        `tested` are pairs of indices, packed, that need no second look; returned with those that were looked at now.
        """
        bands = np.frombuffer(self.bands, np.uint32).reshape(-1, BANDS)[items]
        found = candidates(bands)
        names = packed(items[found])
        fresh = ~np.isin(names, tested)
        found, names = found[fresh], names[fresh]
        results = list(self.compared(items[found].tolist()))
        similarity = np.array([result[0] for result in results], np.float64)
        opposed = np.array([result[1] == OPPOSED for result in results], np.bool_)
        alike = similarity >= self.threshold
        near = Near(found[alike, 0], found[alike, 1], similarity[alike], opposed[alike])
        return near, np.union1d(tested, names)

    def compared(self, pairs: list[list[int]]) -> Iterator[tuple[float, str]]:
        """`compare` for each of some pairs of items, best sorted by the first."""
        if not pairs:
            return
        self.file.flush()
        last, one = -1, None
        for a, b in pairs:
            one = one if a == last and one is not None else self.block(a)
            last = a
            yield compare(one, self.block(b), self.threshold)

    def block(self, item: int) -> ItemBlock:
        """One item from the file."""
        start, end = self.starts[item], self.starts[item + 1] if item + 1 < len(self) else self.at
        # Read, not mapped: pages of a mapped file count as memory of this process.
        data = np.frombuffer(os.pread(self.file.fileno(), 4 * (end - start), 4 * start), np.uint32)
        count, label_count, exact = data[:HEAD].tolist()
        begin = HEAD + count + 4 * label_count
        ends = list(accumulate(data[HEAD : HEAD + count].tolist(), initial=begin))
        parts = [data[a:b] for a, b in pairwise(ends)]
        labels = [PairLabel(*each) for each in data[HEAD + count : begin].reshape(-1, 4).tolist()]
        return ItemBlock(exact, parts, labels)


def compare(one: ItemBlock, other: ItemBlock, threshold: float) -> tuple[float, str]:
    """(similarity of two items, what their labels say of each other); 0 once it is below the threshold.

    0 too for items that say more than once: the same pair shown in another order is a judgement of its own, and the
    same texts with opposed labels are an exact contradiction, which is found elsewhere.
    """
    (first, *ours), (second, *theirs) = one.parts, other.parts
    similarity = bounded(first, second, threshold)
    if similarity < threshold or bool(ours) != bool(theirs):
        return 0.0, SAME
    if not ours:
        return similarity, SAME
    table = np.array([[bounded(a, b, threshold) for b in theirs] for a in ours])
    similarity = float(min(similarity, table.max(axis=1).min(), table.max(axis=0).min()))
    if similarity < threshold:
        return 0.0, SAME
    relation = relate(one.labels, other.labels, table)
    if relation == JUDGED_AGAIN or (relation == OPPOSED and one.exact == other.exact):
        return 0.0, relation
    return similarity, relation


def bounded(a: U32, b: U32, threshold: float) -> float:
    """The Jaccard similarity of two sets, or 0 where their sizes alone keep it below the threshold."""
    small, large = sorted((len(a), len(b)))
    return jaccard(a, b) if small >= threshold * large else 0.0


def relate(ours: Sequence[PairLabel], theirs: Sequence[PairLabel], table: npt.NDArray[np.float64]) -> str:
    """What the labels of two items say of each other, their responses matched by `table`, the similarities.

    OPPOSED where a comparison is decided the other way round; JUDGED_AGAIN where one was shown in the other order. A
    response that is most like two others of the other item is matched with none, since which of them it is cannot be known.
    """
    match, back = table.argmax(axis=1), table.argmax(axis=0)
    sure = {i: int(j) for i, j in enumerate(match) if back[j] == i and np.count_nonzero(table[i] == table[i, j]) == 1}
    other = {label[:3]: label for label in theirs}
    matched = (label._replace(i=sure[label.i], j=sure[label.j]) for label in ours if {label.i, label.j} <= sure.keys())
    relations = {relation_of(label, other) for label in matched}
    return next((relation for relation in (OPPOSED, JUDGED_AGAIN) if relation in relations), SAME)


def relation_of(label: PairLabel, others: Mapping[tuple[int, int, int], PairLabel]) -> str:
    """What one label says of those of another item, which are found by (i, j, attribute)."""
    opposite = others.get(label.turned[:3])
    if opposite is not None and not (label.flags | opposite.flags) & TIE:
        return OPPOSED
    same = others.get(label[:3]) or (None if opposite is None else opposite.turned)
    if same is not None and {label.flags & ~TIE, same.flags & ~TIE} == {SHOWN_I, SHOWN_J}:
        return JUDGED_AGAIN
    return SAME
