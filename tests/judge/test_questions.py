"""What a judge is asked: the words, the languages, and that no response can write its own placeholder."""

import pytest

from rewardsmith.errors import ContractError
from rewardsmith.judge.definition import judge_of
from rewardsmith.judge.questions import questions_of
from rewardsmith.records import Message, Record, Response


def record(prompt, *responses):
    turns = prompt if isinstance(prompt, tuple) else (Message("user", prompt),)
    return Record(turns, tuple(Response((Message("assistant", text),)) for text in responses))


def judge(kind="pointwise", **value):
    return judge_of({"kind": kind, "model": "m", **value}, "j.yaml")


def asked(definition, one):
    return [each.prompt[-1].content for each in questions_of(definition, one)]


def test_a_response_is_never_taken_for_a_placeholder():
    (text, _) = asked(judge(), record("Say {response}", "{prompt} {high} {{x}}", "b"))
    assert "Say {response}" in text
    assert "{prompt} {high} {{x}}" in text
    assert "from 1 to 10" in text


def test_the_language_is_that_of_the_prompt_or_as_set():
    english, chinese = record("What is rain?", "Water."), record("什么是雨？", "水。")
    assert "Rate the response" in asked(judge(), english)[0]
    assert "请作为" in asked(judge(), chinese)[0]
    assert "请作为" in asked(judge(language="zh"), english)[0]
    assert "Rate the response" in asked(judge(language="en"), chinese)[0]
    yes = questions_of(judge(prompt="yes-no"), chinese)[0]
    assert (yes.labels, yes.cue) == (("是", "否"), "结论：")


def test_several_turns_stand_behind_their_roles():
    turns = (
        Message("system", "Be kind."),
        Message("user", "Hi"),
        Message("assistant", "Hello"),
        Message("user", "Why?"),
    )
    (text,) = asked(judge(language="en"), record(turns, "Because."))
    assert "System: Be kind.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: Why?" in text
    (text,) = asked(judge(language="zh"), record(turns, "Because."))
    assert "用户：Hi" in text


def test_reasoning_is_not_shown_to_the_judge():
    one = Record((Message("user", "?"),), (Response((Message("assistant", "4", "secret steps"),)),))
    assert "secret" not in asked(judge(), one)[0]


def test_a_system_prompt_and_an_own_text():
    definition = judge(prompt="Q {prompt} A {response} {{1}} on {criterion}", scale=[0, 9], system="You are strict.",
                       rubric=[{"name": "f", "text": {"en": "facts", "zh": "事实"}}])  # fmt: skip
    (question,) = questions_of(definition, record("x", "y"))
    assert [turn.content for turn in question.prompt] == ["You are strict.", "Q x A y {1} on facts"]
    (question,) = questions_of(definition, record("你好吗", "好"))
    assert question.prompt[-1].content.endswith("事实")


def test_lists_name_their_responses_by_letters():
    (text, other) = asked(judge("listwise"), record("?", "first", "second"))
    assert text.index("<response A>\nfirst") < text.index("<response B>\nsecond")
    assert other.index("<response A>\nsecond") < other.index("<response B>\nfirst")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ContractError, match="one response"):
        questions_of(judge("pairwise"), record("?", "a"))
    with pytest.raises(ContractError, match="27 responses"):
        questions_of(judge("listwise"), record("?", *map(str, range(27))))
