"""A number at the beginning of a statement: digits or a Chinese numeral, with at most a unit and the end of its scale."""

import re
from collections.abc import Collection
from typing import NamedTuple

from rewardsmith.verifiable.answers.chinese import chinese_number

OUT_OF_RANGE, SEVERAL, OTHER_SCALE, MALFORMED = "out_of_range", "several", "other_scale", "malformed"
PLAIN = r"[-+−]?\d{1,9}(?:\.\d{1,9})?"
CHINESE = "负?[零〇一二两三四五六七八九十百]+(?:点[零〇一二三四五六七八九]+)?"
NUMBER = re.compile(rf"(?P<plain>{PLAIN})|(?P<chinese>{CHINESE})")
UNIT = re.compile(r"\s*(?:points?\b|stars?\b|分(?!之)|星)")
BELOW = re.compile(
    r"\s*(?:/|\(?\s*out\s+of|of)\s*(\d{1,9}(?:\.\d{1,9})?)(?![\d.,]\d)\s*(?:points?\b|分)?\s*\)?", re.IGNORECASE
)
FURTHER = re.compile(
    rf"\s*(?:(?:[-–—~,、/&]|to\b|or\b|and\b|至|到|或|和)\s*|\s)(?:{PLAIN}|{CHINESE}(?!\w))", re.IGNORECASE
)
END = re.compile(r"\Z|(?![.,:]\d)[\s.,;:!?)\]}\"'。、」』】>-]")


class NumberStated(NamedTuple):
    """What a statement gives: a value, or the `problem` with it; `chinese` where it is written as a Chinese numeral."""

    value: float | None
    problem: str = ""
    chinese: bool = False


def stated_number(text: str, ends: tuple[int, int], *, whole: bool) -> NumberStated | None:
    """The number that a statement begins with, on a scale with these `ends`; None where it begins with none.

    With `whole` the statement has to be nothing else.
    """
    match = NUMBER.match(text)
    if match is None:
        return None
    below, rest = behind(text[match.end() :])
    value = chinese_number(match[0]) if match["chinese"] else float(match[0].replace("−", "-"))
    if whole and rest:
        return None
    if value is None or not END.match(rest):
        return None if match["chinese"] else NumberStated(None, SEVERAL if FURTHER.match(rest) else MALFORMED)
    if FURTHER.match(rest):
        return NumberStated(None, SEVERAL)
    return on_scale(float(value), below, ends, chinese=match["chinese"] is not None)


def behind(text: str) -> tuple[float | None, str]:
    """(the end of the scale that is named behind a number, None without one; what follows it and the unit)."""
    unit = UNIT.match(text)
    rest = text[unit.end() :] if unit else text
    below = BELOW.match(rest)
    return (float(below[1]), rest[below.end() :]) if below else (None, rest)


def on_scale(value: float, below: float | None, ends: tuple[int, int], *, chinese: bool) -> NumberStated:
    """The value, or that it is on another scale, or lies outside."""
    if below not in (None, ends[1]):
        return NumberStated(None, OTHER_SCALE)
    if not ends[0] <= value <= ends[1]:
        return NumberStated(None, OUT_OF_RANGE)
    return NumberStated(value, chinese=chinese)


def differ(values: Collection[object]) -> bool:
    """Whether statements contradict each other."""
    return len(set(values)) > 1
