"""Chinese numerals → exact numbers: 一百二十三, 两万零五, 三点一四, 百分之五十, 三分之二, 负五, 二〇二四, 3万5千."""

import re
from fractions import Fraction

DIGITS = {
    **{char: value for value, char in enumerate("零一二三四五六七八九")},
    **{char: value for value, char in enumerate("〇壹贰叁肆伍陆柒捌玖")},
    **{"两": 2, "貳": 2, "叄": 3, "陸": 6},
}
UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
DIGIT = "".join(DIGITS)
NUMERAL = f"[{DIGIT}{''.join(UNITS)}{''.join(LARGE)}0-9.点]+"
WRITTEN = re.compile(
    f"(?P<sign>负|-)?(?:百分之(?P<percent>{NUMERAL})|(?P<below>{NUMERAL})分之(?P<above>{NUMERAL})|(?P<plain>{NUMERAL}))"
)
COUNT = rf"[{DIGIT}]|[0-9]+(?:\.[0-9]+)?"
SMALL = re.compile(
    rf"(?:(?P<千>{COUNT})?[千仟])?(?P<z1>零)?(?:(?P<百>{COUNT})?[百佰])?(?P<z2>零)?(?:(?P<十>{COUNT})?[十拾])?(?P<z3>零)?(?P<last>{COUNT})?"
)


def chinese_number(text: str) -> Fraction | None:
    """The number that a text is; None where it is none, or not well-formed (二十百, 三点)."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        return None
    if found["percent"]:
        value = over(found["percent"], Fraction(100))
    elif found["below"]:
        value = over(found["above"], decimal(found["below"]))
    else:
        value = decimal(found["plain"])
    return -value if value is not None and found["sign"] else value


def over(above: str, below: Fraction | None) -> Fraction | None:
    """A quotient; None where a part is no number, or the lower one is 0."""
    value = decimal(above)
    return None if value is None or not below else value / below


def decimal(text: str) -> Fraction | None:
    """A number with at most one decimal point; digits behind 点 are read one by one."""
    whole, point, digits = text.partition("点")
    if not point:
        return integer(text)
    value = integer(whole)
    if value is None or not digits or any(char not in DIGITS for char in digits):
        return None
    return value + Fraction(int("".join(str(DIGITS[char]) for char in digits)), 10 ** len(digits))


def integer(text: str) -> Fraction | None:
    """A number without a decimal point in words: digits one after another (二〇二四), or with units.

    The larger units 亿 and 万 split it.
    """
    if not text:
        return None
    for unit in ("亿", "億", "万", "萬"):
        before, found, after = text.rpartition(unit)
        if found:
            return joined(integer(before), LARGE[unit], after)
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return Fraction(text)
    if all(char in DIGITS for char in text):
        return Fraction(int("".join(str(DIGITS[char]) for char in text)))
    return below_ten_thousand(text)


def joined(above: Fraction | None, unit: int, after: str) -> Fraction | None:
    """So many of a large unit, and what follows it, which is less than one."""
    if above is None:
        return None
    if not after:
        return above * unit
    if DIGITS.get(after):  # 三万五 is 35,000
        return above * unit + DIGITS[after] * Fraction(unit, 10)
    rest = integer(after)
    return None if rest is None or rest >= unit else above * unit + rest


def below_ten_thousand(text: str) -> Fraction | None:
    """A number of 千, 百 and 十 in this order; None for any other order, and where 零 ends it.

    A digit behind them counts tens of the last unit where no 零 is between: 一百一 is 110, 一百零一 is 101.
    """
    found = SMALL.fullmatch(text)
    units = [unit for unit in UNITS if unit in text]
    if found is None or not units or text.endswith("零"):
        return None
    total = sum((UNITS[unit] * count_of(found, unit) for unit in units), Fraction(0))
    return total + rest_of(found["last"], "零" in text, min(UNITS[unit] for unit in units))


def rest_of(last: str | None, zero: bool, unit: int) -> Fraction:
    """What the digit behind the last unit counts."""
    if last is None:
        return Fraction(0)
    return digit_of(last) * (1 if zero else Fraction(unit, 10))


def count_of(found: re.Match[str], unit: str) -> Fraction:
    """How many of a unit there are: 1 where nothing says it."""
    written = found[{10: "十", 100: "百", 1000: "千"}[UNITS[unit]]]
    return Fraction(1) if written is None else digit_of(written)


def digit_of(written: str) -> Fraction:
    """A digit, or a number in plain digits."""
    return Fraction(DIGITS[written]) if written in DIGITS else Fraction(written)
