"""Edits keep the words of a response, apply once, and know two languages."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.audit.edits.edit import sentences_of, speech_of
from rewardsmith.audit.edits.table import EDITS

ENGLISH = 'The capital is Paris. It lies on the Seine. Don\'t ask "why" it is so.'
CHINESE = "法国的首都是巴黎。它位于塞纳河畔。人口约二百万。"
MARKED = "## Steps\n\n- **Mix** it\n- Bake it"
CODE = "```py\nprint(1)\n```"
GERMAN = "Die Hauptstadt ist Paris und sie liegt an der Seine, die durch das Land fließt."
SAMPLES = (ENGLISH, CHINESE, MARKED, CODE, "One line.\nAnother line. And more.", "", "  \n", "42")
WORD = re.compile(r"[A-Za-z0-9]+|[\u4e00-\u9fff]")
ADDS_WORDS = {"heading", "opening", "repetition", *(name for name in EDITS if name.startswith("padding"))} | {
    name for name, edit in EDITS.items() if edit.family in ("sycophancy", "self_praise", "certainty", "courtesy")
}


def words(text):
    return WORD.findall(text)


def is_subsequence(inner, outer):
    rest = iter(outer)
    return all(word in rest for word in inner)


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("text", SAMPLES)
def test_an_edit_keeps_all_words_in_order_and_applies_once(name, text):
    edited = EDITS[name].apply(text)
    if edited is None:
        return
    assert edited != text
    added = [word for word in words(edited) if name == "numbered_list" and word.isdecimal()]
    assert is_subsequence(words(text), words(edited))
    if name not in ADDS_WORDS:
        assert len(words(edited)) == len(words(text)) + len(added)
    assert EDITS[name].apply(edited) in (None, edited)


@pytest.mark.parametrize("name", EDITS)
@given(text=st.text(alphabet="ab .。!\n*#-\"'1我你好", max_size=60))
def test_an_edit_never_fails_and_keeps_words_of_any_text(name, text):
    edited = EDITS[name].apply(text)
    if edited is not None:
        assert is_subsequence(words(text), words(edited))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
@pytest.mark.parametrize(
    "name", sorted(EDITS.keys() - {"no_markdown", "one_paragraph", "curly_quotes", "ascii_punctuation"})
)
def test_nearly_every_edit_applies_to_plain_prose_in_both_languages(name, text):
    edited = EDITS[name].apply(text)
    assert edited is not None
    if name in ADDS_WORDS and name != "heading":
        added = edited.replace(text, "")
        assert speech_of(added) == speech_of(text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("bullets", ENGLISH, '- The capital is Paris.\n- It lies on the Seine.\n- Don\'t ask "why" it is so.'),
        ("numbered_list", CHINESE, "1. 法国的首都是巴黎。\n2. 它位于塞纳河畔。\n3. 人口约二百万。"),
        ("no_markdown", MARKED, "Steps\n\nMix it\nBake it"),
        ("curly_quotes", ENGLISH, "The capital is Paris. It lies on the Seine. Don’t ask “why” it is so."),
        ("ascii_punctuation", CHINESE, "法国的首都是巴黎.它位于塞纳河畔.人口约二百万."),
        ("exclamation_mark", CHINESE, "法国的首都是巴黎。它位于塞纳河畔。人口约二百万！"),
        ("one_paragraph", "One line.\n\nTwo.", "One line. Two."),
        ("bold", "法国的首都", "**法国的首**都"),
        ("bullets", CODE, None),
        ("bullets", MARKED, None),
        ("bold", MARKED, None),
        ("heading", MARKED, None),
        ("curly_quotes", "`it's`", None),
    ],
)
def test_what_an_edit_makes(name, text, expected):
    assert EDITS[name].apply(text) == expected


def test_words_are_not_added_to_a_language_that_an_edit_does_not_speak():
    assert [name for name in ADDS_WORDS if EDITS[name].apply(GERMAN) is not None] == []


def test_nothing_is_added_behind_an_open_block_of_code_and_a_block_stays_a_block():
    assert EDITS["padding_1"].apply("```py\nx = 1") is None
    assert EDITS["padding_1"].apply(f"Run this:\n{CODE}").startswith(f"Run this:\n{CODE}\n\n")
    assert (
        EDITS["opening"].apply(f"{CODE}\nThat is all of it, and it is for you.").partition("\n\n")[2].startswith("```")
    )


def test_padding_grows_by_whole_sentences():
    lengths = [len(EDITS[f"padding_{count}"].apply(ENGLISH)) for count in (1, 2, 4)]
    assert lengths == sorted(lengths)
    assert [len(sentences_of(EDITS[f"padding_{n}"].apply(CHINESE))) for n in (1, 2, 4)] == [4, 5, 7]


def test_sentences_do_not_end_at_abbreviations_and_numbers():
    assert sentences_of("Mr. Smith paid 3.5 euros. He left.") == ["Mr. Smith paid 3.5 euros.", "He left."]
    assert sentences_of("他说。走了！") == ["他说。", "走了！"]
