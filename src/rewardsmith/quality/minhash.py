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
from typing import Any

import numpy as np
import numpy.typing as npt

from rewardsmith.evaluate.baselines import CJK_RANGES

U64 = npt.NDArray[np.uint64]
U32 = npt.NDArray[np.uint32]

SHINGLE_UNITS = 2
BANDS = 20
ROWS = 6
WINDOW = 64
"""With how many of the next sets of its bucket a set is compared: this keeps the work linear in the worst case."""

CHUNK = 4096
SINGLE = "+<>=%^&|/~"  # what makes `a < b` and `a > b`, or C and C++, different things
UNIT = re.compile(rf"[{CJK_RANGES}]|[^\W_{CJK_RANGES}]+|[{re.escape(SINGLE)}]")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


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
    return np.unique((ngrams(unit_hashes(units(text)), SHINGLE_UNITS) >> np.uint64(32)).astype(np.uint32))


def jaccard(a: U32, b: U32) -> float:
    """Size of the intersection over size of the union of two sets (sorted, each element once, not both empty)."""
    if len(a) == len(b) and np.array_equal(a, b):
        return 1.0
    both = np.concatenate([a, b])
    both.sort()
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


def permutations() -> tuple[U64, U64]:
    """The multipliers and summands of h(x) = a * x + b mod 2^64, whose upper bits are strongly universal for 32-bit x.

    (Thorup, "High speed hashing for integers and strings", 2015, section 3.3.)
    """
    numbers = mix(np.arange(1, 2 * BANDS * ROWS + 1, dtype=np.uint64) * MULTIPLIER)
    return numbers[::2, None], numbers[1::2, None]


A, B = permutations()


def signature(elements: U32) -> U64:
    """The smallest of each hash over the elements of a set that is not empty, shape (BANDS * ROWS,)."""
    smallest = np.full(BANDS * ROWS, np.iinfo(np.uint64).max, np.uint64)
    for begin in range(0, len(elements), CHUNK):
        hashed = A * elements[begin : begin + CHUNK].astype(np.uint64)
        hashed += B
        np.minimum(smallest, hashed.min(axis=1), out=smallest)
    return smallest


def band_hashes(elements: U32) -> U32:
    """32 bits for each band of a set's signature, shape (BANDS,)."""
    rows = signature(elements).reshape(BANDS, ROWS)
    found = np.zeros(BANDS, np.uint64)
    for at in range(ROWS):
        found = mix(found * MULTIPLIER + rows[:, at])
    return (found >> np.uint64(32)).astype(np.uint32)


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
