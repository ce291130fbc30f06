"""Numbers in texts → exact fractions: 1,234.50, $18, 50%, 3/4, 1 1/2, \\frac{3}{4}, −5, １２, 3万, 一百二十三.

What is not a number in full is none: `1,23` is two numbers, `3:00` is two, the minus of `10-5` is no sign.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from rewardsmith.verifiable.answers.chinese import DIGITS as CHINESE_DIGITS
from rewardsmith.verifiable.answers.chinese import LARGE, UNITS, chinese_number

WIDE = dict(zip(map(ord, "０１２３４５６７８９．，％－＋／＄￥（）"), "0123456789.,%-+/$¥()", strict=True))
SIGNS = {ord(sign): "-" for sign in "−–‒"}
HALVES = {ord(char): f" {n}/{d}" for char, n, d in (("½", 1, 2), ("⅓", 1, 3), ("⅔", 2, 3), ("¼", 1, 4), ("¾", 3, 4))}
CHINESE = re.compile(f"[{''.join((*CHINESE_DIGITS, *UNITS, *LARGE))}]")
MEASURE = re.compile(f"(?<={CHINESE.pattern})[元个只人天年月日岁米块本辆颗张次名美角分]{{1,2}}$")
"""What is counted, behind a Chinese numeral."""
MOST_DIGITS = 1000
"""Of a number; longer ones are no answers, and cost time."""
DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
PLAIN = rf"(?:{DIGITS}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{{1,3}}(?![\d.]))?"
FRAC = r"\\[dt]?frac\s*\{\s*(?P<above>-?\d+)\s*\}\s*\{\s*(?P<below>\d+)\s*\}"
NUMBER = re.compile(
    rf"(?P<sign>(?<![\w)\]}}.])[-+]\s?)?(?:\\?[$¥€£]\s?)?(?P<inner>(?<![\w)\]}}.])-)?"
    rf"(?:{FRAC}|(?P<mixed>\d+)[ ](?P<top>\d+)/(?P<bottom>\d+)(?![\d/])"
    rf"|(?P<first>{PLAIN})(?:\s?/\s?(?P<second>{DIGITS})(?![\d/.]))?)"
    rf"(?P<large>[万萬亿億])?(?P<percent>\s?\\?%|\s(?:percent|per cent)\b)?"
)


class NumberFound(NamedTuple):
    """A number in a text: its value, whether it is a percentage (50 for 50 %), and where it begins and ends."""

    value: Fraction
    percent: bool = False
    start: int = 0
    end: int = 0


def narrowed(text: str) -> str:
    """The text with full-width digits and signs as plain ones, and vulgar fractions spelt; powers stay as they are."""
    return text.translate(WIDE).translate(SIGNS).translate(HALVES)


def numbers_in(text: str) -> Iterator[NumberFound]:
    """Every number in digits, in order."""
    for match in NUMBER.finditer(narrowed(text)):
        value = value_of(match)
        if value is not None:
            yield NumberFound(value, match["percent"] is not None, match.start(), match.end())


def value_of(match: re.Match[str]) -> Fraction | None:
    """The number of a match; None where it divides by 0 or has too many digits."""
    if len(match[0]) > MOST_DIGITS:
        return None
    if match["above"]:
        above, below = Fraction(match["above"]), Fraction(match["below"])
    elif match["mixed"]:
        below = Fraction(match["bottom"])
        above = Fraction(match["mixed"]) * below + Fraction(match["top"])
    else:
        above = Fraction(match["first"].replace(",", ""))
        below = Fraction((match["second"] or "1").replace(",", ""))
    if not below:
        return None
    negative = (match["sign"] or "").startswith("-") != bool(match["inner"])
    return (-1 if negative else 1) * above / below * LARGE.get(match["large"] or "", 1)


def only_number(text: str) -> NumberFound | None:
    """The one number that a text states, in digits with whatever words around, or as a Chinese numeral alone.

    None where there is none, or more than one.
    """
    stated = chinese_number(core(text)) if CHINESE.search(text) else None
    if stated is not None:
        return NumberFound(stated * 100 if "百分之" in text else stated, "百分之" in text)
    found = list(numbers_in(text))
    return found[0] if len(found) == 1 else None


def core(text: str) -> str:
    """A text without space and marks around it, and without a measure word behind a Chinese numeral."""
    bare = text.translate(WIDE).strip(" \t\n。.，,！!；;：:$*")
    return MEASURE.sub("", bare)


def same_number(one: NumberFound, other: NumberFound) -> bool:
    """Whether two numbers are equal. A percentage equals its number, since answers drop the sign, and its hundredth."""
    if one.value == other.value:
        return True
    if one.percent == other.percent:
        return False
    percentage, plain = (one, other) if one.percent else (other, one)
    return percentage.value / 100 == plain.value
