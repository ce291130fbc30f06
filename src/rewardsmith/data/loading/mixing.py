"""Shares of sources: which records are taken depends on the seed and their content, never on their order.

`a.jsonl:0.3` takes about three records in ten; a cap takes the records whose hashes come first.
"""

import hashlib
import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import orjson

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.input.rows import excerpt
from rewardsmith.errors import UsageError
from rewardsmith.records import Joined, Record, Removed
from rewardsmith.settings.in_memory import InMemory

SHARE = re.compile(r"\d+(?:\.\d*)?|\.\d+")
WHOLE_BUILTIN = re.compile(r"synthetic(?:-steps:\d+|:\d+(?:x\d+)?)")
CHECK = "not_taken"

Other = TypeVar("Other")


class Source(NamedTuple):
    """A source as it is named on the command line, and the share of its records to take, above 0 and at most 1."""

    name: str
    share: float = 1.0


@dataclass(frozen=True)
class Mix:
    """How records are chosen: by hash with `seed`, at most `max_per_source` from each source."""

    seed: int = 0
    max_per_source: int | None = None

    def __post_init__(self) -> None:
        if self.max_per_source is not None and self.max_per_source < 1:
            raise UsageError(f"--max-per-source {self.max_per_source}: expected at least 1")


def parse_source(text: str) -> Source:
    """`name:share` taken apart; a name that exists on this disk, or ends otherwise, stands for all of its records.

    Only a number after the last colon is a share, so `C:\\data\\a.jsonl` and `owner/name:config:split` are whole names.
    """
    if isinstance(text, InMemory):
        return Source(text)
    name, colon, share = text.rpartition(":")
    if not (colon and name and SHARE.fullmatch(share)) or WHOLE_BUILTIN.fullmatch(text) or Path(text).exists():
        refuse_misspelt(text, name, share)
        return Source(text)
    if not 0 < float(share) <= 1:
        raise UsageError(
            f"{text}: the share {share} of {name} must be above 0 and at most 1, since no row is used twice"
        )
    return Source(name, float(share))


def refuse_misspelt(text: str, name: str, share: str) -> None:
    """UsageError where a file or folder is followed by something that was meant as a share: `a.jsonl:30%`."""
    if name and not Path(text).exists() and Path(name).exists():
        raise UsageError(f"{text}: the share {share!r} of {name} is not a number; expected, for example, {name}:0.3")


def position(record: Record, seed: int) -> int:
    """Where a record stands among all that could be: 64 bits of the SHA-256 of the seed and its content."""
    row = to_row(record.at("", 0))
    digest = hashlib.sha256(b"mix:%d:" % seed + orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()
    return int.from_bytes(digest[:8], "big")


def choose(
    read: Callable[[bool], Iterable[Record | Joined | Other]], source: Source, mix: Mix
) -> Iterator[Record | Joined | Removed | Other]:
    """The items of a source, where the records that are not taken are Removed, and so are the rows joined to them.

    `read` gives the items from the start, each time it is called; with a cap it is called twice, the first time with
    True. Memory holds one number per record of the cap.
    """
    if source.share == 1 and mix.max_per_source is None:
        yield from read(False)
        return
    bound = Bound(round(source.share * 2**64))
    if mix.max_per_source is not None:
        bound = lowest(read(True), mix.max_per_source, below=bound.below, seed=mix.seed)
    gone = False
    for item in read(False):
        if isinstance(item, Record):
            gone = not bound.takes(position(item, mix.seed))
            yield not_taken(item, source, mix) if gone else item
        elif isinstance(item, Joined) and gone:
            yield Removed(
                item.source, item.line, CHECK, f"part of the record at {item.into}, which was not sampled", ""
            )
        else:
            yield item


@dataclass
class Bound:
    """Records are taken whose position is `below` this one, and the first `ties` of those exactly at it."""

    below: int
    ties: int = 0

    def takes(self, place: int) -> bool:
        """Whether the next record, at this position, is taken."""
        if place == self.below and self.ties:
            self.ties -= 1
            return True
        return place < self.below


def lowest(items: Iterable[object], count: int, *, below: int, seed: int) -> Bound:
    """The bound under which fewer than `count` records stand, and how many of those exactly at it fill the count.

    Only records below `below` count. Records at the same place have the same content.
    """
    heap: list[int] = []  # the `count` lowest, negated, so that the highest of them is on top
    for item in items:
        if not isinstance(item, Record) or (place := position(item, seed)) >= below:
            continue
        if len(heap) < count:
            heapq.heappush(heap, -place)
        else:
            heapq.heappushpop(heap, -place)
    if len(heap) < count:
        return Bound(below)
    bound = -heap[0]
    return Bound(bound, ties=sum(place == -bound for place in heap))


def not_taken(record: Record, source: Source, mix: Mix) -> Removed:
    """The ledger entry of a record that was not taken."""
    wanted = [f"a share of {source.share:g}"] if source.share < 1 else []
    wanted += [f"at most {mix.max_per_source}"] if mix.max_per_source is not None else []
    reason = f"not among the records sampled from {source.name}: {' and '.join(wanted)}, seed {mix.seed}"
    return Removed(record.source, record.line, CHECK, reason, excerpt(record.responses[0].text))
