from dataclasses import replace

import pytest

from builders import pair, ranking
from rewardsmith.errors import DataError
from rewardsmith.records import Comparison, Message, Record, Response


def test_the_id_hangs_on_the_texts_and_their_order_only():
    record = pair("q", "a", "b")
    assert replace(record, source="elsewhere", line=9, comparisons=()).id == record.id
    assert pair("q", "b", "a").id != record.id
    assert pair("q", "b", "a").prompt_id == record.prompt_id
    assert pair("qa", "", "b").id != pair("q", "a", "b").id


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"preference": 0.4}, "swap i and j"),
        ({"weight": -1.0}, "finite number >= 0"),
        ({"weight": float("nan")}, "finite number >= 0"),
        ({"j": 0}, "two different responses"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(DataError, match=words):
        Comparison(**{"i": 0, "j": 1, **values})


def test_a_record_refuses_what_does_not_fit_its_responses():
    answers = (Response((Message("assistant", "a"),)),)
    with pytest.raises(DataError, match="does not exist; the record has 1"):
        Record((), answers, (Comparison(0, 1),))
    with pytest.raises(DataError, match="2 ratings for 'overall', but 1 responses"):
        Record((), answers, ratings={"overall": (1.0, 2.0)})
    with pytest.raises(DataError, match="at least one response"):
        Record((), ())


def test_an_unknown_role_is_refused():
    with pytest.raises(DataError, match="unknown role 'boss'"):
        Message("boss", "hi")


def test_conversations_begin_with_the_prompt():
    record = ranking("q", "a", "b")
    assert [turns[0].content for turns in record.conversations] == ["q", "q"]
    assert [turns[-1].content for turns in record.conversations] == ["a", "b"]
