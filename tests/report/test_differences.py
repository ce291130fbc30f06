"""What differs between two responses: nothing is lost, and what both have is not marked."""

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.report.run.differences import differences, tokens_of


def marked(pieces):
    return [piece.text.strip() for piece in pieces if piece.changed]


@given(st.text(), st.text())
def test_pieces_joined_are_the_texts(first, second):
    found = differences(first, second)
    assert "".join(piece.text for piece in found.first) == first
    assert "".join(piece.text for piece in found.second) == second


@given(st.text(min_size=1))
def test_a_text_does_not_differ_from_itself(text):
    found = differences(text, text)
    assert not marked(found.first)
    assert not marked(found.second)


def test_words_are_compared_whole():
    found = differences("Paris is the capital of France.", "Lyon is the capital of France.")
    assert (marked(found.first), marked(found.second)) == (["Paris"], ["Lyon"])
    assert found.marked


def test_chinese_is_compared_by_character():
    found = differences("巴黎是法国的首都，人口两百万。", "里昂是法国的首都，人口五十万。")
    assert (marked(found.first), marked(found.second)) == (["巴黎", "两百"], ["里昂", "五十"])


def test_texts_with_nothing_in_common_are_not_marked_all_over():
    found = differences("completely different words here", "全然不同的一句话")
    assert not found.marked
    assert not marked(found.first)


def test_other_white_space_is_no_difference():
    assert not marked(differences("one  two\nthree", "one two three").first)


def test_tokens_joined_are_the_text():
    text = "  Hello, world!\n你好 world_2 é"
    assert "".join(tokens_of(text)) == text
