"""Numbers in digits, by hand, and against Python's own reading."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.verifiable.answers.numbers import NumberFound, numbers_in, only_number, same_number


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,234.50", [Fraction(2469, 2)]),
        ("$18", [18]),
        ("-$5", [-5]),
        ("$-5", [-5]),
        ("\\$1,000", [1000]),
        ("3/4", [Fraction(3, 4)]),
        ("1 1/2 cups", [Fraction(3, 2)]),
        ("1½", [Fraction(3, 2)]),
        ("\\frac{3}{4}", [Fraction(3, 4)]),
        ("−5", [-5]),
        ("１２", [12]),
        ("3万", [30000]),
        ("10-5", [10, 5]),
        ("3:00", [3, 0]),
        ("1,23", [1, 23]),
        ("m²", []),
        ("1e5", [100000]),
        ("5.", [5]),
        ("(-3)", [-3]),
        (".5", [Fraction(1, 2)]),
        ("1/0", []),
        ("2024-01-02", [2024, 1, 2]),
        ("1,000,00", [1000, 0]),
        ("x", []),
        ("共 1，234 元", [1234]),
        ("9" * 2000, []),
    ],
)
def test_numbers_are_exact_and_nothing_is_guessed(text, values):
    assert [found.value for found in numbers_in(text)] == values


@given(st.decimals(-(10**9), 10**9, places=3))
def test_a_number_with_separators_is_pythons_own(number):
    assert [found.value for found in numbers_in(f"it is {number:,} in all")] == [Fraction(number)]


@given(st.text(max_size=60))
def test_no_text_makes_it_fail(text):
    for found in numbers_in(text):
        assert 0 <= found.start < found.end


def test_percentages_equal_their_number_and_their_hundredth():
    half, fifty, other = NumberFound(Fraction(1, 2)), NumberFound(Fraction(50)), NumberFound(Fraction(5))
    percent = only_number("50%")
    assert percent.percent
    assert same_number(percent, half)
    assert same_number(percent, fifty)
    assert not same_number(percent, other)
    assert not same_number(half, fifty)
    assert same_number(only_number("百分之五十"), half)


def test_several_numbers_are_not_one():
    assert only_number("3 or 4") is None
    assert only_number("three") is None
    assert only_number("一百二十三元").value == 123
    assert only_number("62.00").value == 62
