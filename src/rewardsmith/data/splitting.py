"""Train, validation and test without leaks: rows that share an opening always fall on the same side.

The side of a row depends on the seed and its group only, never on the other rows or their order, so a data set can be
extended, shuffled or read as a stream and every old row stays where it was.
"""

import hashlib
import math
from collections.abc import Iterable
from typing import Literal

from rewardsmith.errors import DataError, UsageError
from rewardsmith.records import Record

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")
Fractions = tuple[float, float, float]


def group_of(record: Record, by: str | None = None) -> str:
    """What keeps rows together: the field `by`, else system turn and first user turn, case and spacing evened out.

    Dialogues that grow from the same opening share a group. A record without a prompt is its own group.
    DataError where the field is missing.
    """
    if by is not None:
        if by not in record.fields:
            known = ", ".join(sorted(record.fields)) or "none"
            raise DataError(
                f"{record.place} has no field {by!r} to split by; its fields: {known}; choose one all rows have"
            )
        return str(record.fields[by])
    opening = [message for message in record.prompt if message.role == "system"]
    opening += [message for message in record.prompt if message.role == "user"][:1]
    if not any(message.content.strip() for message in opening if message.role == "user"):
        return f"\x1d{record.id}"
    return "\x1e".join(f"{message.role}\x1f{' '.join(message.content.casefold().split())}" for message in opening)


def position(group: str, seed: int) -> float:
    """Where a group lies in [0, 1): the first 53 bits of the SHA-256 of "seed:group"."""
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def assign(record: Record, *, seed: int = 0, fractions: Fractions = (0.8, 0.1, 0.1), by: str | None = None) -> Split:
    """The side of a record; `fractions` are the expected shares of groups for train, validation and test."""
    train, validation, _ = check_fractions(fractions)
    place = position(group_of(record, by), seed)
    if place < train:
        return "train"
    return "validation" if place < train + validation or fractions[2] == 0 else "test"


def check_fractions(fractions: Fractions) -> Fractions:
    """The fractions, if they are three shares >= 0 that add up to 1, train above 0; else UsageError."""
    fine = len(fractions) == 3 and all(math.isfinite(share) and share >= 0 for share in fractions)
    if not fine or abs(sum(fractions) - 1) > 1e-9 or fractions[0] == 0:
        raise UsageError(
            f"fractions {fractions} are no split; expected three shares >= 0 that add up to 1, train above 0"
        )
    return fractions


def hold_out(groups: Iterable[str], n: int) -> frozenset[str]:
    """The `n` group names whose SHA-256 sorts last: a test split that nobody chose by hand.

    DataError where no group would be left to train on.
    """
    distinct = sorted(set(groups), key=lambda name: (hashlib.sha256(name.encode()).hexdigest(), name))
    if not 0 < n < len(distinct):
        raise DataError(f"cannot hold out {n} of {len(distinct)} groups; expected 1 to {max(len(distinct) - 1, 1)}")
    return frozenset(distinct[-n:])


def without_test(fractions: Fractions) -> Fractions:
    """The fractions of train and validation scaled up to 1, where the test split is held out by name."""
    train, validation, _ = check_fractions(fractions)
    share = train / (train + validation)
    return (share, 1 - share, 0.0)


def refuse_empty(counts: dict[Split, int], fractions: Fractions, groups: str) -> None:
    """DataError where a split that should hold something came out empty."""
    for name, share in zip(SPLITS, fractions, strict=True):
        if share > 0 and counts[name] == 0:
            told = ", ".join(f"{split} {count}" for split, count in counts.items())
            raise DataError(
                f"the {name} split came out empty ({told} records): there are too few different {groups} for a "
                f"share of {share:g}; add data, choose larger --fractions or another --seed, or 0 "
                "for a split you do not need"
            )
