"""Texts as sets of shingles, and which of many sets are alike, without comparing each with each.

A text's units are its words, and each single Chinese or Japanese character; its shingles are the pairs of neighbouring
units. MinHash (Broder, "On the resemblance and containment of documents", 1997) gives two sets the same smallest hash
with a probability equal to their Jaccard similarity J; with BANDS bands of ROWS such hashes, two sets share a band with
probability 1 - (1 - J^ROWS)^BANDS (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4): 0.998 at
J = 0.8, and 3e-7 at J = 0.05, which is usual for two texts that have nothing to do with each other. Who shares a band is
then compared exactly.

Everything is a fixed function of the text: no seed, no order, no process-dependent hash.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.quality.text.characters import plain_ascii

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
U64 = npt.NDArray[np.uint64]
U32 = npt.NDArray[np.uint32]

BANDS = 20
ROWS = 6
WINDOW = 64
"""With how many of the next sets of its bucket a set is compared: this keeps the work linear in the worst case."""

SINGLE = "+<>=%^&|/~"  # what makes `a < b` and `a > b`, or C and C++, different things
UNIT = re.compile(rf"[{CJK_RANGES}]|[^\W_{CJK_RANGES}]+|[{re.escape(SINGLE)}]")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

PLAIN = bytes(ord(chr(byte).lower()) if chr(byte).isalnum() else 0x20 for byte in range(128)) + bytes(128)
"""What becomes of each byte of an ASCII text: letters in lower case, digits, and a space for everything else."""
HAS_SINGLE = re.compile(f"[{re.escape(SINGLE)}]")


@dataclass(frozen=True, slots=True)
class Sets:
    """Several sets of 32-bit hashes, one after another: `elements` (N,), each set sorted; set k ends where k + 1 begins,
    at `borders` (K + 1,).
    """

    elements: U32
    borders: npt.NDArray[np.int64]

    def __getitem__(self, at: int) -> U32:
        """The set number `at`."""
        return self.elements[self.borders[at] : self.borders[at + 1]]


def units(text: str) -> list[str]:
    """Words in lower case, and single CJK characters, in order; punctuation and spacing are nothing.

    Full-width and compatibility forms are evened out (NFKC). A text with no unit at all, such as an emoji, is its own
    only unit, so that two such texts are alike only where they are equal.
    """
    folded = (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()
    return UNIT.findall(folded) or [" ".join(folded.split())]


def mix(values: U64) -> U64:
    """The finalizer of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def unit_hashes(found: list[str]) -> U64:
    """64 bits for each unit, shape (U,)."""
    pieces = "\n".join(found).encode(errors="surrogatepass").split(b"\n")  # no unit holds a line break
    return mix(np.fromiter(map(zlib.crc32, pieces), np.uint64, len(pieces)))


def pieces(text: str) -> list[bytes]:
    """`units` as UTF-8, by a shorter way for the most usual texts."""
    plain = plain_ascii(text)
    if plain is not None and not HAS_SINGLE.search(plain) and (found := plain.encode().translate(PLAIN).split()):
        return found
    return "\n".join(units(text)).encode(errors="surrogatepass").split(b"\n")  # no unit holds a line break


def shingle_sets(texts: Iterable[str]) -> Sets:
    """`shingles` of many texts at once, which is several times faster than one after another."""
    found = [pieces(text) for text in texts]
    counts = np.fromiter(map(len, found), np.int64, len(found))
    total = int(counts.sum())
    hashes = mix(np.fromiter(map(zlib.crc32, chain.from_iterable(found)), np.uint64, total))
    owner = np.repeat(np.arange(len(found), dtype=np.uint64), counts)
    pairs = hashes * MULTIPLIER
    pairs[:-1] += hashes[1:]
    last = np.cumsum(counts) - 1
    alone = counts == 1  # fewer units than a shingle has are one shingle
    pairs[last[alone]] = hashes[last[alone]]
    is_pair = np.ones(total, np.bool_)
    is_pair[last[~alone]] = False
    marked = np.sort(owner[is_pair] << np.uint64(32) | mix(pairs[is_pair]) >> np.uint64(32))
    different = np.ones(len(marked), np.bool_)
    different[1:] = marked[1:] != marked[:-1]
    marked = marked[different]
    borders = np.searchsorted(marked, np.arange(len(found) + 1, dtype=np.uint64) << np.uint64(32))
    return Sets(marked.astype(np.uint32), borders.astype(np.int64))


def ngrams(hashes: U64, n: int) -> U64:
    """A hash for each run of `n` neighbours, shape (max(U - n + 1, 1),); fewer than `n` units are one run."""
    n = min(n, len(hashes))
    count = len(hashes) - n + 1
    found = np.zeros(count, np.uint64)
    for at in range(n):
        found = found * MULTIPLIER + hashes[at : at + count]
    return mix(found)


def shingles(text: str) -> U32:
    """The set of a text's shingles as 32-bit hashes, sorted, each once.

    Two different shingles of a pair of texts with a and b shingles coincide by chance a * b / 2^32 times.
    """
    return shingle_sets([text]).elements


def jaccard(a: U32, b: U32) -> float:
    """Size of the intersection over size of the union of two sets (sorted, each element once, not both empty)."""
    if len(a) == len(b) and np.array_equal(a, b):
        return 1.0
    both = np.concatenate([a, b])
    both.sort()
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


def permutations() -> tuple[U32, U32]:
    """Odd multipliers and summands of h(x) = a * x + b mod 2^32, which permutes the 32-bit numbers.

    The elements are mixed hashes already, so their order under each of these is as good as random (tests compare the
    estimates with the exact similarity and with datasketch).
    """
    numbers = (mix(np.arange(1, 2 * BANDS * ROWS + 1, dtype=np.uint64) * MULTIPLIER) >> np.uint64(32)).astype(np.uint32)
    return numbers[::2] | np.uint32(1), numbers[1::2]


A, B = permutations()


def signatures(elements: U32, begins: npt.NDArray[np.int64]) -> U32:
    """The smallest of each hash over each of several groups of elements, shape (groups, BANDS * ROWS).

    A group goes from its begin to the next one and is not empty; an element may stand in it several times.
    """
    smallest = np.empty((BANDS * ROWS, len(begins)), np.uint32)
    hashed = np.empty_like(elements)
    for at in range(BANDS * ROWS):
        np.multiply(elements, A[at], out=hashed)
        hashed += B[at]
        np.minimum.reduceat(hashed, begins, out=smallest[at])
    return np.ascontiguousarray(smallest.T)


def signature(elements: U32) -> U32:
    """The signature of one set, shape (BANDS * ROWS,)."""
    only: U32 = signatures(elements, np.zeros(1, np.int64))[0]
    return only


def band_hashes(signed: U32) -> U32:
    """32 bits for each band of some signatures, shape (groups, BANDS)."""
    rows = signed.astype(np.uint64).reshape(len(signed), BANDS, ROWS)
    found = np.zeros((len(signed), BANDS), np.uint64)
    for at in range(ROWS):
        found = mix(found * MULTIPLIER + rows[:, :, at])
    return (found >> np.uint64(32)).astype(np.uint32)


def bands_of(groups: Sequence[Sequence[U32]]) -> U32:
    """The bands of the union of each of some groups of sets, shape (groups, BANDS)."""
    if not groups:
        return np.zeros((0, BANDS), np.uint32)
    sizes = np.fromiter((sum(map(len, group)) for group in groups), np.int64, len(groups))
    begins = np.cumsum(sizes) - sizes
    return band_hashes(signatures(np.concatenate(list(chain.from_iterable(groups))), begins))


def candidates(bands: U32) -> npt.NDArray[np.int64]:
    """Pairs (first < second) of rows of `bands`, shape (N, BANDS), that share a band, shape (P, 2), sorted.

    Where more than WINDOW rows share a band, each is paired with the next WINDOW of them only, in the order of the
    rows; to make that independent of the order of a file, sort the rows by content.
    """
    found = np.zeros(0, np.int64)
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        keys = band[order]
        new = [found]
        for distance in range(1, WINDOW + 1):
            same = np.flatnonzero(keys[distance:] == keys[:-distance])
            if not same.size:
                break
            new.append(order[same] << 32 | order[same + distance])
        found = np.unique(np.concatenate(new))
    return np.stack([found >> 32, found & 0xFFFFFFFF], axis=1)


def packed(pairs: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Each pair of two numbers below 2^31 as one number."""
    numbers: npt.NDArray[np.int64] = pairs[:, 0] << 32 | pairs[:, 1]
    return numbers
