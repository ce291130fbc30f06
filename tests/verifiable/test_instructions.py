"""Every instruction of IFEval with a response that follows it and one that does not."""

import pytest

from rewardsmith.errors import DataError
from rewardsmith.verifiable.instructions import INSTRUCTIONS, instruction_results

CASES = {
    "keywords:existence": ({"keywords": ["cat", "狗"]}, "A Cat and a 狗.", "A category and a 狗."),
    "keywords:frequency": ({"keyword": "cat", "frequency": 2, "relation": "at least"}, "cat CAT", "cat"),
    "keywords:forbidden_words": ({"forbidden_words": ["no"]}, "nothing", "No."),
    "keywords:letter_frequency": ({"letter": "e", "let_frequency": 2, "let_relation": "less than"}, "e", "Ee"),
    "language:response_language": ({"language": "zh"}, "今天天气很好，我们去公园。", "The weather is good today."),
    "length_constraints:number_sentences": ({"num_sentences": 2, "relation": "at least"}, "One. 二。", "One."),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
    "length_constraints:number_words": ({"num_words": 3, "relation": "less than"}, "你好", "你好吗"),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "hello"}, "a\n\nHello you", "hello\n\na",
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "[name] [date]", "[name]"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "Hi\nP.S. bye", "Hi"),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2}, "* a\n- b", "* a\n- b\n- c"),
    "detectable_format:constrained_response": ({}, "My answer is maybe.", "Maybe."),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, "*a* and **b**", "*a* and b"),
    "detectable_format:multiple_sections": ({"section_spliter": "Day", "num_sections": 2}, "Day 1\na\nDay 2\nb", "a"),
    "detectable_format:json_format": ({}, '```json\n{"a": 1}\n```', "a: 1"),
    "detectable_format:title": ({}, "<<A title>>\ntext", "<< >> text"),
    "combination:two_responses": ({}, "a\n******\nb", "a\n******\na"),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Say hi"}, "say HI. Hi", "Hi"),
    "startend:end_checker": ({"end_phrase": "That is all."}, 'x "That is all."', "That is all. x"),
    "startend:quotation": ({}, "“你好”", '"a'),
    "change_case:capital_word_frequency": ({"capital_frequency": 2, "capital_relation": "less than"}, "A b c", "A B c"),
    "change_case:english_capital": ({}, "THIS IS THE WAY IT IS, AND NO OTHER.", "This is the way it is."),
    "change_case:english_lowercase": ({}, "this is the way it is, and no other.", "This is the way it is."),
    "punctuation:no_comma": ({}, "a b", "甲，乙"),
}  # fmt: skip


def test_there_is_a_case_for_every_instruction():
    assert CASES.keys() == INSTRUCTIONS.keys()
    assert len(INSTRUCTIONS) == 25


@pytest.mark.parametrize("name", CASES)
def test_an_instruction_is_followed_or_not(name):
    params, followed, broken = CASES[name]
    row = {"ids": [name], "kwargs": [params]}
    assert instruction_results(followed, row, "ids", "kwargs") == [True]
    assert instruction_results(broken, row, "ids", "kwargs") == [False]
    assert instruction_results(" ", row, "ids", "kwargs") == [False]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "no instructions"),
        ({"ids": ["keywords:existance"]}, "unknown instruction"),
        ({"ids": ["keywords:existence"], "kwargs": [{}]}, "no text keywords"),
        ({"ids": ["punctuation:no_comma"], "kwargs": [{}, {}]}, "2 sets"),
        ({"ids": ["length_constraints:number_words"], "kwargs": [{"num_words": "3"}]}, "no number num_words"),
        ({"ids": ["length_constraints:number_words"], "kwargs": [{"num_words": 3, "relation": "about"}]}, "relation"),
    ],
)
def test_what_cannot_be_checked_is_refused(row, said):
    with pytest.raises(DataError, match=said):
        instruction_results("text", row, "ids", "kwargs")
