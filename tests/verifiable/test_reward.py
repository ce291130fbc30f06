"""From a response to its reward: weights, gates, truncated responses, and what is refused."""

import pytest

from rewardsmith.errors import DataError, UsageError
from rewardsmith.records import Message, Record, Response
from rewardsmith.verifiable.checks import Given
from rewardsmith.verifiable.definition import SoftLimit, definition_of
from rewardsmith.verifiable.reward import VerifiableReward, overlong

BASE = {"kind": "verifiable", "gold": "answer", "rewards": [{"check": "numeric"}]}


def reward(**changes):
    return VerifiableReward(definition_of({**BASE, **changes}, "r.yaml"))


def record(*texts, **fields):
    responses = tuple(Response((Message("assistant", text),)) for text in texts)
    return Record((Message("user", "2+2?"),), responses, fields=fields, source="d.jsonl", line=3)


def values(made, one):
    return [each.reward for each in made.rewards_of(one)]


def test_weights_add_up_and_a_gate_replaces_the_reward():
    made = reward(
        rewards=[
            {"check": "numeric", "weight": 2.0},
            {"check": "length", "max": 8, "weight": 0.5},
            {"check": "json", "gate": True},
        ],
        failed=-1.0,
    )
    assert values(made, record("4", "5", "4 " * 10, answer="4")) == [2.5, 0.5, -1.0]
    assert made.counts.gated == 1
    assert made.counts.to_json()["means"]["numeric"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("how", "expected"),
    [({"truncated": "zero"}, [1.0, 0.0]), ({"truncated": "keep"}, [1.0, 1.0]), ({}, [1.0, 0.0])],
)
def test_truncated_responses(how, expected):
    made = reward(**how)
    assert values(made, record("4", "4.", answer=4, finish_reasons=["stop", "length"])) == expected
    assert made.counts.truncated == 1


def test_the_soft_limit_of_dapo_by_hand():
    soft = SoftLimit(limit=100, buffer=20)
    assert [overlong(tokens, soft) for tokens in (0, 80, 85, 90, 100, 200)] == [0, 0, -0.25, -0.5, -1, -1]
    made = reward(truncated="soft", soft={"limit": 100, "buffer": 20})
    assert values(made, record("4", "5", answer=4, completion_tokens=[90, 200])) == [0.5, -1.0]
    with pytest.raises(DataError, match="completion_tokens"):
        made.rewards_of(record("4", answer=4))


def test_a_gold_answer_that_is_missing_or_unreadable_names_the_row():
    for fields in ({}, {"answer": "many"}, {"answer": None}):
        with pytest.raises(DataError, match=r"d\.jsonl:3"):
            reward().rewards_of(record("4", **fields))


def test_an_empty_response_is_counted_and_gets_nothing():
    made = reward()
    assert made.verify(Given(" "), made.gold_of({"answer": 4})).reward == 0.0
    assert made.counts.problems == {("numeric", "empty"): 1}


def test_it_is_a_reward_function_as_trl_calls_it():
    made = reward(rewards=[{"check": "numeric"}, {"check": "reasoning", "weight": 0.5}])
    chat = [{"role": "assistant", "content": "<think>2+2</think>4"}]
    found = made(prompts=["2+2?"] * 3, completions=["4", chat, "</think>5"], answer=[4, "4", 4], trainer_state=None)
    assert found == [1.0, 1.5, 0.0]
    with pytest.raises(DataError, match="completion 0"):
        made(completions=["4"], answer=["x"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>5</think>4", 1.5),
        ("[THINK]5[/THINK]4", 1.5),
        ("5</think>4", 1.5),  # the template wrote the opening tag
        ("<think>4", 0.0),  # stopped while it reasoned: there is no answer
        ("4", 1.0),
    ],
)
def test_reasoning_is_no_answer_in_a_file_as_in_a_trainer(text, expected):
    made = reward(rewards=[{"check": "numeric"}, {"check": "reasoning", "weight": 0.5}])
    assert made(completions=[text], answer=[4]) == [expected]
    assert [each.reward for each in made.rewards_of(record(text, answer=4))] == [expected]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "judge"}, "expected verifiable"),
        ({"rewards": []}, "rewards is empty"),
        ({"rewards": [{"check": "numeriic"}]}, "Did you mean 'numeric'"),
        ({"rewards": [{"check": "numeric", "tolerence": 1}]}, "unknown key 'tolerence'"),
        ({"rewards": [{"check": "numeric", "weight": "1"}]}, "expected int or float"),
        ({"rewards": [{"check": "numeric", "model": "m"}]}, "either check or model"),
        ({"rewards": [{"check": "json", "gate": True}]}, "all rewards are gates"),
        ({"rewards": [{"check": "json", "gate": True, "weight": 1.0}]}, "a gate is a check"),
        ({"rewards": [{"check": "json"}, {"check": "json"}]}, "same name"),
        ({"rewards": [{"check": "format"}]}, "needs the option pattern"),
        ({"rewards": [{"check": "length", "unit": "lines"}]}, "unit is 'lines'"),
        ({"rewards": [{"check": "format", "pattern": "("}]}, "is no regular expression"),
        ({"rewards": [{"model": "m"}]}, "failed is missing"),
        ({"gold": 3}, "expected str"),
        ({"truncated": "drop"}, "expected zero, keep, soft"),
        ({"truncated": "soft"}, "needs soft"),
        ({"truncated": "soft", "soft": {"limit": 5, "buffer": 9}}, "buffer <= limit"),
        ({"reward": 1}, "unknown key 'reward'"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(changes, said):
    with pytest.raises(UsageError, match=said) as raised:
        reward(**changes)
    assert "r.yaml" in str(raised.value)


def test_a_check_that_needs_a_gold_answer_needs_its_column():
    with pytest.raises(UsageError, match="needs gold"):
        VerifiableReward(definition_of({"kind": "verifiable", "rewards": [{"check": "numeric"}]}, "r.yaml"))
