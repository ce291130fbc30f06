"""Where critiques stand, and those that the data bring along."""

from dataclasses import replace

import pytest

from builders import pair, ranking
from rewardsmith.critique.given import given_critiques
from rewardsmith.critique.turns import QUESTIONS, asking, with_critiques
from rewardsmith.errors import DataError
from rewardsmith.records import Comparison

PAIR = pair("What is two plus three?", "It is five.", "It is six.")


def test_a_critique_answers_a_question_behind_the_response():
    behind = with_critiques(PAIR, [["Right."], ["Wrong."]], "auto")
    for response, plain, text in zip(behind.responses, PAIR.responses, ("Right.", "Wrong."), strict=True):
        assert response.messages[:1] == plain.messages
        assert [m.role for m in response.messages] == ["assistant", "user", "assistant"]
        assert response.messages[1].content == QUESTIONS["en"]
        assert response.messages[-1].content == text
    assert behind.comparisons == PAIR.comparisons
    assert behind.prompt_id == PAIR.prompt_id


def test_the_question_is_in_the_language_of_the_conversation_or_the_one_given():
    chinese = pair("二加三等于几？", "等于五。", "等于六。")
    assert asking(chinese, 0, "auto")[-1].content == QUESTIONS["zh"]
    assert asking(chinese, 0, "en")[-1].content == QUESTIONS["en"]
    assert asking(PAIR, 1, "zh")[-1].content == QUESTIONS["zh"]


def test_several_critiques_make_several_texts_without_labels():
    behind = with_critiques(PAIR, [["a", "b"], ["c", "d"]], "en")
    assert [response.messages[-1].content for response in behind.responses] == ["a", "b", "c", "d"]
    assert behind.comparisons == ()


@pytest.mark.parametrize("names", [("chosen_critique", "rejected_critique"), ("chosen_feedback", "rejected_feedback")])
@pytest.mark.parametrize("preferred", [0, 1])
def test_the_columns_of_a_pair_follow_the_preference_and_not_the_order(names, preferred):
    record = replace(
        PAIR,
        comparisons=(Comparison(preferred, 1 - preferred),),
        fields=dict(zip(names, ("good", "bad"), strict=True)),
    )
    assert given_critiques(record)[preferred] == "good"
    assert given_critiques(record)[1 - preferred] == "bad"


def test_the_field_has_one_text_per_response_and_may_have_gaps():
    record = replace(ranking("q", "a", "b", "c"), fields={"critiques": ["x", None, "  "]})
    assert given_critiques(record) == ("x", None, None)
    assert given_critiques(PAIR) == (None, None)


@pytest.mark.parametrize("value", ["text", ["one"], [1, 2], {"a": 1}])
def test_what_is_no_list_of_critiques_is_refused_with_its_row(value):
    with pytest.raises(DataError, match="made:1: critiques"):
        given_critiques(replace(PAIR, fields={"critiques": value}))


@pytest.mark.parametrize("record", [ranking("q", "a", "b", "c"), pair("q", "a", "b", preference=0.5)])
def test_columns_of_a_pair_need_a_pair(record):
    with pytest.raises(DataError, match="one chosen and one rejected"):
        given_critiques(replace(record, fields={"chosen_critique": "good", "rejected_critique": "bad"}))
