"""What remains in memory of a row once it has passed: hashes of what it says, and where it stands."""

import hashlib
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.records import Comparison, Message, Record

U64 = npt.NDArray[np.uint64]

LINE_BITS = 40


class Fingerprint(NamedTuple):
    """Hashes of one row: 128 bits of all that it says (fields and place left aside), and 64 bits of each response
    together with its prompt.

    Among a million rows two of 128 bits coincide with probability 1e-27, two of 64 bits with 3e-8.
    """

    row: bytes
    responses: tuple[int, ...]

    @property
    def key(self) -> int:
        """64 bits of the row."""
        return int.from_bytes(self.row[:8], "big")


def fingerprint_of(record: Record) -> Fingerprint:
    """The fingerprint of a row: rows with the same prompt, responses, comparisons and ratings have the same."""
    prompt = hashlib.sha256(turns_bytes(record.prompt))
    whole = prompt.copy()
    responses = []
    for response in record.responses:
        said = turns_bytes(response.messages)
        under = prompt.copy()
        under.update(b"\x1d" + said)
        responses.append(int.from_bytes(under.digest()[:8], "big"))
        whole.update(b"\x1d%d:" % len(said) + said)
    judged = (*map(comparison_values, record.comparisons), sorted(record.ratings.items()))
    whole.update(b"\x1c" + repr(judged).encode(errors="surrogatepass"))
    return Fingerprint(whole.digest()[:16], tuple(responses))


def turns_bytes(messages: tuple[Message, ...]) -> bytes:
    """Turns as bytes; which wrote a response plays no part."""
    # With lengths, so that no text can look like two turns.
    parts = [f"{message.role}:{len(message.content)}:{message.content}" for message in messages]
    return "".join(parts).encode(errors="surrogatepass")


def comparison_values(comparison: Comparison) -> tuple[Any, ...]:
    """All that a comparison says, as plain values."""
    one = comparison
    return one.i, one.j, one.preference, one.weight, one.margin, one.attribute, one.votes, one.shown_first


class Located(NamedTuple):
    """Places of some rows: their files, and for each row the number of its file above 40 bits of its line."""

    files: tuple[str, ...]
    rows: U64


def located(records: Sequence[Record]) -> Located:
    """The places of some rows."""
    files: dict[str, int] = {}
    rows = [files.setdefault(record.source, len(files)) << LINE_BITS | record.line for record in records]
    return Located(tuple(files), np.array(rows, np.uint64))


class Places:
    """Places of rows, `file:line`, in eight bytes each."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.packed = array("Q")

    def extend(self, rows: Located) -> None:
        """Add the next rows' places."""
        bits = np.uint64(LINE_BITS)
        table = np.array([self.files.setdefault(name, len(self.files)) for name in rows.files], np.uint64)
        lines = rows.rows & np.uint64((1 << LINE_BITS) - 1)
        packed = table[rows.rows >> bits] << bits | lines if len(table) else rows.rows
        self.packed.frombytes(packed.tobytes())

    def add(self, record: Record) -> None:
        """Add the next row's place."""
        self.extend(located([record]))

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, row: int) -> str:
        packed = self.packed[row]
        return f"{list(self.files)[packed >> LINE_BITS]}:{packed & (1 << LINE_BITS) - 1}"
