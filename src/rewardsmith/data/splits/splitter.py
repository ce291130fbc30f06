"""Train, validation and test without leaks: rows that share an opening always fall on the same side.

The side of a row depends on the seed and its group only, never on the other rows or their order, so a data set can be
extended, shuffled or read as a stream and every old row stays where it was. The one exception is asked for by name:
split by `near-prompt`, a row follows the openings that are nearly like its own (docs/decisions/0010).
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rewardsmith.errors import DataError, UsageError
from rewardsmith.records import Record

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")
Fractions = tuple[float, float, float]
NEAR_PROMPT = "near-prompt"
"""What stands in place of a field to split by, to keep openings that are nearly the same on one side."""
BY_CHANCE = 1e-6
"""Below this probability a split is not empty by chance: the data is a part of a split that was made with the same seed."""


def check_split(name: str | None) -> None:
    """UsageError for an option --split that names no split."""
    if name is not None and name not in SPLITS:
        raise UsageError(f"--split {name}: expected train, validation or test")


def group_of(record: Record, by: str | None = None) -> str:
    """What keeps rows together: the field `by`, else system turn and first user turn, case and spacing evened out.

    Dialogues that grow from the same opening share a group. A record without a prompt is its own group.
    DataError where the field is missing.
    """
    if by is not None and by != NEAR_PROMPT:
        return field_value(record, by)
    system = [message for message in record.prompt if message.role == "system"]
    first = next((message for message in record.prompt if message.role == "user"), None)
    if first is None or not first.content.strip():
        return f"\x1d{record.id}"
    turns = [*system, first]
    return "\x1e".join(f"{message.role}\x1f{' '.join(message.content.casefold().split())}" for message in turns)


def field_value(record: Record, name: str) -> str:
    """The value of a field as text; DataError where the record has none of that name."""
    if name not in record.fields:
        known = ", ".join(sorted(record.fields)) or "none"
        raise DataError(
            f"{record.place} has no field {name!r} to split by; its fields: {known}; choose a field that all rows have"
        )
    return str(record.fields[name])


def group_key(group: str) -> int:
    """64 bits of a group's SHA-256."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big")


def position(group: str, seed: int) -> float:
    """Where a group lies in [0, 1): the first 53 bits of the SHA-256 of "seed:group"."""
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


@dataclass(frozen=True)
class Splitter:
    """Which side a record belongs to: by the hash of its group, or by name where groups were held out.

    `fractions` are the expected shares of groups for train, validation and test. Where groups were held out by name
    (see `hold_out`), everything else is train. `near` holds the positions of groups that go with others, by `group_key`.
    """

    seed: int = 0
    fractions: Fractions = (0.8, 0.1, 0.1)
    by: str | None = None
    held_out: "HeldOut | None" = None
    near: Mapping[int, float] = field(default_factory=dict)

    def side(self, record: Record) -> Split:
        """The split of a record; DataError where it lacks the field to split by."""
        group = group_of(record, self.by)
        if self.held_out is not None:
            return self.held_out.side(group)
        train, validation, test = check_fractions(self.fractions)
        together = self.near.get(group_key(group)) if self.near else None
        place = position(group, self.seed) if together is None else together
        if place < train:
            return "train"
        return "validation" if place < train + validation or test == 0 else "test"

    def why_empty(self, counts: Mapping[Split, int], count_groups: Callable[[], int]) -> str | None:
        """Why a split that should hold something came out empty, None where none did; groups are counted only then."""
        for name, share in zip(SPLITS, self.fractions, strict=True):
            if share > 0 and counts.get(name, 0) == 0:
                sizes = ", ".join(f"{split} {counts.get(split, 0)}" for split in SPLITS)
                groups = count_groups()
                what = "prompts" if self.by in (None, NEAR_PROMPT) else f"values of {self.by}"
                if self.held_out is None and (1 - share) ** groups < BY_CHANCE:
                    return (
                        f"the {name} split is empty ({sizes} records): all {groups} distinct {what} lie in other parts of a "
                        "split with this seed, as in a file that rewardsmith prepare wrote for one part"
                    )
                return (
                    f"the {name} split is empty ({sizes} records): there are too few distinct {what} for a share of "
                    f"{share:g}"
                )
        return None


def check_fractions(fractions: Fractions) -> Fractions:
    """The fractions, if they are three shares >= 0 that add up to 1, train above 0; else UsageError."""
    fine = len(fractions) == 3 and all(math.isfinite(share) and share >= 0 for share in fractions)
    if not fine or abs(sum(fractions) - 1) > 1e-9 or fractions[0] == 0:
        raise UsageError(f"invalid fractions {fractions}; expected three shares >= 0 that sum to 1, with train above 0")
    return fractions


def refuse_near_groups(by: str | None, test_groups: int | None) -> None:
    """UsageError where groups are to be held out of clusters, which have no names."""
    if test_groups and by == NEAR_PROMPT:
        raise UsageError(f"test_groups cannot be combined with split_by {NEAR_PROMPT}; expected a field, such as topic")


@dataclass(frozen=True)
class HeldOut:
    """Groups kept out of training by name."""

    validation: frozenset[str]
    test: frozenset[str]

    def side(self, group: str) -> Split:
        """The split of a group."""
        if group in self.test:
            return "test"
        return "validation" if group in self.validation else "train"


def hold_out(groups: Iterable[str], n: int, *, fractions: Fractions) -> HeldOut:
    """Test and validation groups that nobody chose by hand: the last names in the order of their SHA-256.

    The last `n` are the test. Validation is whole groups too, since a model chosen on groups it has trained on is
    chosen for the wrong thing: the names just before the test, as many as its share of what the test leaves over
    (train and validation shares of `fractions`), at least one unless that share is 0.
    DataError where no group would be left to train on.
    """
    train, validation, _ = check_fractions(fractions)
    distinct = sorted(set(groups), key=lambda name: (hashlib.sha256(name.encode()).hexdigest(), name))
    rest = len(distinct) - n
    held = max(1, round(rest * validation / (train + validation))) if validation else 0
    if n < 1 or rest - held < 1:
        besides = f" in addition to {held} for validation" if validation else ""
        raise DataError(
            f"cannot hold out {n} of {len(distinct)} groups{besides}; expected 1 to {max(len(distinct) - held - 1, 1)}"
        )
    return HeldOut(validation=frozenset(distinct[rest - held : rest]), test=frozenset(distinct[rest:]))
