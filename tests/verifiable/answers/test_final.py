"""The final answer: the last one that is marked as such, else the last number."""

from fractions import Fraction

import pytest

from rewardsmith.verifiable.answers.final import final_number, gold_number, stated_answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("We get 3 and 4.\n#### 42", 42),
        ("#### Step 3\nso 7 apples", 7),  # a heading
        ("First \\boxed{7}, no: \\boxed{\\frac{1}{2}}.", Fraction(1, 2)),
        ("The answer is $\\boxed{42}$.", 42),
        ('{"reasoning": "2+2=5", "answer": "62.00"}', 62),
        ('{"answer": 13}', 13),
        ('{"answer": "40 * 21 * 4 = 3360"}', 3360),
        ("The answer is 18 dollars per 2 days.", 18),
        ("The final answer is **$1,234.50**.", Fraction(2469, 2)),
        ("Answer: 50%", 50),
        ("答案是一百二十三元。", 123),
        ("答案：百分之五十", 50),
        ("所以总共是 3万 元", 30000),
        ("#### １，２３４", 1234),
        ("I have 3 apples and 4 pears", 4),
        ("一百二十三", 123),
        ("这是一个问题", None),  # no number, whatever 一 may mean elsewhere
        ("no idea", None),
        ("\\boxed{3, 4}", None),  # several: not guessed
        ("\\boxed{unclosed 5", 5),
        ("", None),
    ],
)
def test_the_final_number(text, value):
    found = final_number(text)
    assert (None if found is None else found.value) == value


def test_the_gold_answer_may_be_a_solution():
    assert gold_number("He has 3+4=7.\n#### 7").value == 7
    assert gold_number("# 16").value == 16
    assert gold_number("$18 dollars").value == 18
    assert gold_number("3 or 4") is None
    assert gold_number("") is None


def test_how_an_answer_is_stated():
    assert stated_answer("x \\boxed{a{b}c} y") == ("a{b}c", "boxed")
    assert stated_answer('"answer": "B"').how == "field"
    assert stated_answer("nothing") is None
