"""Chinese numerals are read as they are written, and what is malformed is no number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.verifiable.answers.chinese import chinese_number

DIGITS = "零一二三四五六七八九"


def written(number):
    """A whole number below 10**12 in words, by the textbook: 零 once for a gap, units in order."""
    if number == 0:
        return "零"
    parts, gap = "", False
    for size, unit in ((10**8, "亿"), (10**4, "万"), (1, "")):
        group, number = divmod(number, size)
        if group == 0:
            gap = bool(parts)
            continue
        if parts and (gap or group < 1000):
            parts += "零"
        parts += below(group) + unit
        gap = False
    return parts


def below(number):
    parts, gap = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit == 0:
            gap = bool(parts)
            continue
        parts += ("零" if gap else "") + DIGITS[digit] + unit
        gap = False
    return parts


@given(st.integers(0, 10**12 - 1))
def test_every_whole_number_is_read_back(number):
    assert chinese_number(written(number)) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("一百二十三", 123),
        ("两万零五", 20005),
        ("三千五", 3500),
        ("三万五", 35000),
        ("一百一", 110),
        ("十五", 15),
        ("百", 100),
        ("三点一四", Fraction(157, 50)),
        ("百分之五十", Fraction(1, 2)),
        ("三分之二", Fraction(2, 3)),
        ("负五", -5),
        ("二〇二四", 2024),
        ("3万5千", 35000),
        ("1.5亿", 150_000_000),
        ("贰佰伍拾", 250),
        ("一万亿", 10**12),
        ("二十百", None),
        ("三点", None),
        ("万", None),
        ("一百零", None),
        ("", None),
        ("好", None),
        ("零分之一", None),
        ("一一百", None),
        ("五十三十", None),
    ],
)
def test_what_people_write(text, value):
    assert chinese_number(text) == value
