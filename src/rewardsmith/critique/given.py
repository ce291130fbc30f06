"""Critiques that the data bring along: two columns of a pair, or the field `critiques` of a record."""

from collections.abc import Sequence
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.records import Record

FIELD = "critiques"
"""In `fields`: one text per response, in the record's order; null where a response has none."""
COLUMNS = (("chosen_critique", "rejected_critique"), ("chosen_feedback", "rejected_feedback"))
"""Columns of a pair; the second names are those of CLoud's own data sets."""


def given_critiques(record: Record) -> tuple[str | None, ...]:
    """One critique per response, None where the data bring none.

    DataError for what is no list of texts of the right length, and for columns of a pair on a row that is no pair.
    """
    none = (None,) * len(record.responses)
    if FIELD in record.fields:
        return listed(record, record.fields[FIELD])
    names = next((names for names in COLUMNS if any(name in record.fields for name in names)), None)
    if names is None:
        return none
    sides = sides_of(record)
    if sides is None:
        raise DataError(
            f"{record.place}: {names[0]} and {names[1]} need one chosen and one rejected response; expected a pair, or the "
            f"field {FIELD} with one text per response"
        )
    found = dict(zip(sides, (text_of(record.fields.get(name)) for name in names), strict=True))
    return tuple(found.get(index) for index in range(len(record.responses)))


def sides_of(record: Record) -> tuple[int, int] | None:
    """The chosen and the rejected response of a pair; None for any other record."""
    pairs = {(each.i, each.j) for each in record.comparisons if not each.is_tie}
    return pairs.pop() if len(record.responses) == 2 and len(pairs) == 1 else None


def listed(record: Record, value: Any) -> tuple[str | None, ...]:
    """The critiques of the field; DataError where they are not one text or null per response."""
    count = len(record.responses)
    fits = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == count
    if not fits or not all(each is None or isinstance(each, str) for each in value):
        raise DataError(
            f"{record.place}: {FIELD} is {str(value)[:60]!r}; expected a list of {count} texts, one per response"
        )
    return tuple(text_of(each) for each in value)


def text_of(value: Any) -> str | None:
    """A critique without white space at its ends; None for an empty one."""
    text = str(value).strip() if isinstance(value, str) else ""
    return text or None
