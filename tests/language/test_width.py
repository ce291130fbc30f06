"""Columns of a terminal: two for a Chinese character, none for a combining mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.language import cut, display_width, padded, wrapped


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("奖励", 4),
        ("，", 2),
        ("a奖b", 4),
        ("e\u0301", 1),
        ("😀", 2),
        ("\u200b", 0),
        ("ｱ", 1),
        ("Ａ", 2),
    ],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text, columns):
    assert display_width(text) == columns


def test_the_width_is_that_of_the_terminal_library():
    from rich.cells import cell_len

    for text in ("奖励模型 reward", "日本語かな", "한국어", "naïve – “q” …", "😀 ok"):
        assert display_width(text) == cell_len(text)


def test_padding_counts_columns():
    assert padded("奖励", 6) == "奖励  "
    assert padded("奖励模型", 6) == "奖励模型"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("奖励模型", 7, "奖励模…"),
        ("奖励模型", 6, "奖励…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_a_cut_leaves_whole_characters_and_says_so(text, width, expected):
    assert cut(text, width) == expected


@given(text=st.text(max_size=30), width=st.integers(2, 20))
def test_a_cut_text_is_never_wider_than_asked(text, width):
    assert display_width(cut(text, width)) <= width


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("", 9, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("a well-known word", 8, ["a", "well-known", "word"]),  # wider than a line, and still whole
        ("half of 30 % more", 12, ["half of 30 %", "more"]),
        ("奖励模型的名称", 8, ["奖励模型", "的名称"]),
        ("奖励模型，名称", 8, ["奖励模", "型，名称"]),  # no line begins with a comma
        ("奖励模（型）", 8, ["奖励模", "（型）"]),  # none ends with a bracket
        ("用 token 计数", 8, ["用 token", "计数"]),
        ("a奖bc励", 3, ["a奖", "bc", "励"]),
        ("e\u0301 奖\u0301励", 3, ["e\u0301", "奖\u0301", "励"]),
        ("Passes over data. [default: 1]", 26, ["Passes over data.", "[default: 1]"]),
        ("轮数。 [默认：overall]", 16, ["轮数。", "[默认：overall]"]),
        ("a [much longer remark] b", 10, ["a [much", "longer", "remark] b"]),
    ],
)
def test_a_text_is_wrapped_where_a_reader_expects_it(text, width, expected):
    assert wrapped(text, width) == expected


@given(text=st.text(max_size=60), width=st.integers(2, 30))
def test_wrapping_loses_nothing_and_only_a_word_is_wider(text, width):
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(display_width(line) <= width or " " not in line.replace(" %", "%") for line in lines if line.isalnum())
