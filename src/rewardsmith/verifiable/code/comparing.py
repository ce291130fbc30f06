"""Whether what a program wrote or returned is what was expected; decided here, outside, where the program cannot reach."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

NUMBER = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,3})?")


def same_text(written: str, expected: str, tolerance: float) -> bool:
    """Whether two outputs hold the same words on the same lines; empty lines at the end and space between words do not
    count, and numbers that are equal, or within a relative `tolerance` of the expected one, are the same word.
    """
    one, other = lines_of(written), lines_of(expected)
    return len(one) == len(other) and all(
        len(a) == len(b) and all(same_word(x, y, tolerance) for x, y in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def lines_of(text: str) -> list[list[str]]:
    """The words of each line, up to the last line that has any."""
    return [line.split() for line in text.rstrip().splitlines()]


def same_word(written: str, expected: str, tolerance: float) -> bool:
    """Whether two words are the same, or the same number."""
    if written == expected:
        return True
    if not NUMBER.fullmatch(written) or not NUMBER.fullmatch(expected):
        return False
    return near(Fraction(written), Fraction(expected), tolerance)


def near(found: Fraction, expected: Fraction, tolerance: float) -> bool:
    """Whether a number is within a relative tolerance of the expected one."""
    return abs(found - expected) <= Fraction(tolerance) * abs(expected)


def same_result(returned: Any, expected: Any, tolerance: float) -> bool:
    """Whether a returned value is the expected one, which some data sets put into a list of its own."""
    if same_value(returned, expected, tolerance):
        return True
    return isinstance(expected, list) and len(expected) == 1 and same_value(returned, expected[0], tolerance)


def same_value(found: Any, expected: Any, tolerance: float) -> bool:
    """Whether two values are equal; tuples are lists, as in JSON, and numbers may differ by a relative tolerance."""
    if isinstance(found, (list, tuple)) and isinstance(expected, (list, tuple)):
        return same_items(found, expected, tolerance)
    if isinstance(found, dict) and isinstance(expected, dict):
        return same_mapping(found, expected, tolerance)
    if is_number(found) and is_number(expected):
        return found == expected or close(found, expected, tolerance)
    return type(found) is type(expected) and bool(found == expected)


def is_number(value: Any) -> bool:
    """Whether a value is a number; a truth value is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same_mapping(found: Mapping[Any, Any], expected: Mapping[Any, Any], tolerance: float) -> bool:
    """Whether two mappings have the same values under the same keys, which are texts in JSON."""
    one, other = ({str(key): value for key, value in each.items()} for each in (found, expected))
    return set(one) == set(other) and all(same_value(one[key], value, tolerance) for key, value in other.items())


def same_items(found: Sequence[Any], expected: Sequence[Any], tolerance: float) -> bool:
    """Whether two sequences hold the same values in the same order."""
    return len(found) == len(expected) and all(
        same_value(x, y, tolerance) for x, y in zip(found, expected, strict=True)
    )


def close(found: float, expected: float, tolerance: float) -> bool:
    """Whether finite numbers differ by no more than a relative tolerance."""
    try:
        return near(Fraction(found), Fraction(expected), tolerance)
    except (OverflowError, ValueError):  # infinite, or no number
        return False
