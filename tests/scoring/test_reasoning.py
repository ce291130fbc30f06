"""Reasoning that messages keep apart: left out and counted, or scored in think tags, as the contract says."""

from dataclasses import replace

import pytest

from builders import pair, tiny
from rewardsmith.errors import ContractError
from rewardsmith.records import Message, Response
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.left_out import LeftOut
from rewardsmith.scoring.tokens import Encoder

PLAIN = pair("q", "same", "same, too")
APART = replace(
    PLAIN,
    responses=tuple(Response((Message("assistant", "same", thoughts),)) for thoughts in ("so\n", "or so")),
)


def encoded(record, reasoning):
    model = tiny()
    return Encoder(model.tokenizer, replace(model.contract, reasoning=reasoning)).encode(record)


def test_scored_reasoning_is_the_text_with_its_tags():
    spelled = [f"<think>\n{thoughts}\n</think>\n\nsame" for thoughts in ("so", "or so")]
    written = replace(PLAIN, responses=tuple(Response((Message("assistant", text),)) for text in spelled))
    found, expected = (encoded(record, way).sequences for record, way in ((APART, "think"), (written, "omit")))
    assert [ids.tolist() for ids in found] == [ids.tolist() for ids in expected]
    assert encoded(APART, "think").not_shown == ()


def test_reasoning_that_is_left_out_is_counted_and_so_are_answers_that_become_the_same():
    left_out = encoded(APART, "omit")
    assert left_out.sequences[0].tolist() == left_out.sequences[1].tolist()
    counted = LeftOut()
    counted.used(APART, left_out)
    counted.used(PLAIN, encoded(PLAIN, "omit"))
    assert counted.reason_count("not_shown", "reasoning") == 1
    assert counted.reason_count("identical", "reasoning") == 1
    assert (counted["not_shown"].count, counted["not_shown"].of) == (1, 2)


def test_a_contract_keeps_its_way_and_old_ones_are_what_they_were():
    contract = tiny().contract
    assert "reasoning" not in contract.to_json()
    assert ScoringContract.from_json(contract.to_json()) == contract
    thinking = replace(contract, reasoning="think")
    assert ScoringContract.from_json(thinking.to_json()) == thinking
    with pytest.raises(ContractError, match="omit or think"):
        replace(contract, reasoning="aloud")


def test_the_interface_takes_reasoning_as_messages_have_it():
    model = tiny(head_scale=50)
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    apart = [turns[0], turns[1] | {"reasoning_content": "so"}]
    assert model.score([apart]) == model.score([turns])
    model.encoder = Encoder(model.tokenizer, replace(model.contract, reasoning="think"))
    spelled = [turns[0], {"role": "assistant", "content": "<think>\nso\n</think>\n\na"}]
    assert model.score([apart]) == model.score([spelled]) != model.score([turns])
