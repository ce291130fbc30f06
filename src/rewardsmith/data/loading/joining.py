"""Adjacent rows of a source that belong into one record, joined while they stream by."""

from collections.abc import Hashable, Iterable, Iterator

from rewardsmith.data.input.rows import RowError, excerpt, quarantined
from rewardsmith.data.merging import compared_by_ratings, merged, turns
from rewardsmith.records import Document, Joined, Quarantined, Record

MAX_JOINED = 1000  # rows of one record; bounds memory where a whole file shares a key

Adapted = Record | Quarantined | Document


def join_adjacent(items: Iterable[tuple[Hashable | None, Adapted]]) -> Iterator[Adapted | Joined]:
    """Records of adjacent rows with the same key as one record, each further row after it as a Joined.

    A row without a record does not end a group, one with the key None does and stays alone. A row that contradicts the
    group's ratings is quarantined. A key that comes back later begins a new record: nothing is remembered beyond the
    group.
    """
    group: list[Record] = []
    current: Hashable | None = None
    for key, item in items:
        if not isinstance(item, Record):
            yield item
            continue
        if key is None or key != current or len(group) == MAX_JOINED:
            yield from finished(group)
            group = []
        current = key
        if (error := contradiction(group, item)) is not None:
            yield quarantined(item.source, item.line, error, item.responses[0].text, item.byte)
            continue
        group.append(item)
    yield from finished(group)


def finished(group: list[Record]) -> Iterator[Record | Joined]:
    """The record of a group, then its other rows."""
    if not group:
        return
    if len(group) == 1:
        yield group[0]
        return
    record = compared_by_ratings(merged(group, repeats=False))
    yield record
    for other in group[1:]:
        yield Joined(other.source, other.line, record.place, excerpt(other.responses[0].text), other.byte)


def contradiction(group: list[Record], record: Record) -> RowError | None:
    """Why a record cannot join: it rates a response differently than an earlier row of its group did."""
    if not record.ratings:
        return None
    for other in group:
        for here, response in enumerate(record.responses):
            for there, earlier in enumerate(other.responses):
                if turns(response) == turns(earlier) and differs(record, here, other, there):
                    reason = f"the same response has a different rating at {other.place}; expected one rating; keep one"
                    return RowError("rating_conflict", reason)
    return None


def differs(one: Record, here: int, other: Record, there: int) -> bool:
    """Whether two records rate a response differently."""
    shared = one.ratings.keys() & other.ratings.keys()
    return any(one.ratings[name][here] != other.ratings[name][there] for name in shared)
