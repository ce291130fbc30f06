"""Conversations that a client rendered: whatever a client keeps or loses, the reward is that of the conversation."""

import pytest
from transformers import BertConfig

from builders import from_config, tiny
from rewardsmith.errors import ContractError
from rewardsmith.records import Message
from rewardsmith.scoring.templates.rendered import (
    completed,
    cut_left,
    ended,
    first_token,
    has_control_tokens,
    rendered_ids,
)

TURNS = (Message("user", "Hi"), Message("assistant", "Hello there."))


@pytest.fixture(scope="module")
def encoder():
    return tiny().encoder


def test_a_rendered_text_gives_the_tokens_of_the_conversation(encoder):
    text = encoder.renderer.render(TURNS)
    expected = encoder.ids(TURNS).tolist()
    assert rendered_ids(encoder, text).tolist() == expected
    assert rendered_ids(encoder, text.rstrip()).tolist() == expected
    assert rendered_ids(encoder, text, generated=True).tolist() == expected


def test_the_end_that_a_policy_writes_is_completed(encoder):
    suffix = encoder.contract.suffix
    assert suffix.strip()
    text = encoder.renderer.render(TURNS)
    cut = text[: -len(suffix)]
    expected = encoder.ids(TURNS).tolist()
    assert rendered_ids(encoder, cut, generated=True).tolist() == expected
    assert rendered_ids(encoder, cut).tolist() != expected


def test_only_white_space_is_completed_unless_a_policy_wrote_the_end():
    assert completed("a<end>", "<end>\n") == "a<end>\n"
    assert completed("a<end>\n", "<end>\n") == "a<end>\n"
    assert completed("a", "<end>\n") == "a"
    assert completed("a", "\n") == "a"
    assert ended("a", "<end>\n") == "a<end>\n"
    assert ended("a<end>", "<end>\n") == "a<end>\n"
    assert ended("a<end>\n", "<end>\n") == "a<end>\n"
    assert ended("a", "") == "a"


def test_the_first_token_is_there_once_however_the_client_wrote_it():
    encoder = from_config(
        BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ).encoder
    text = encoder.renderer.render(TURNS)
    first = first_token(encoder)
    assert first == encoder.tokenizer.cls_token_id
    assert text.startswith("[CLS]")
    for variant in (text, text.removeprefix("[CLS]"), "[CLS]" + text):
        assert rendered_ids(encoder, variant).tolist() == encoder.ids(TURNS).tolist()


def test_a_token_that_begins_every_turn_is_not_added(encoder):
    assert first_token(encoder) is None or encoder.ids(TURNS).tolist().count(first_token(encoder)) == 1


def test_a_bos_that_opens_turns_is_put_back_where_a_client_has_cut_it_off():
    """verl/experimental/reward_loop/reward_loop.py cuts `tokenizer.bos_token` off; in SmolLM2 it is <|im_start|>."""
    encoder = tiny().encoder
    encoder.tokenizer.bos_token = bos = "<|im_start|>"
    for turns in (TURNS, (Message("system", "Be brief."), *TURNS), TURNS[1:], (*TURNS, *TURNS)):
        text = encoder.renderer.render(turns)
        assert text.startswith(bos)
        for variant in (text, text.removeprefix(bos)):
            assert rendered_ids(encoder, variant).tolist() == encoder.ids(turns).tolist()
    tail = encoder.renderer.render(TURNS).partition("\n")[2]  # cut elsewhere: scored as it came
    assert rendered_ids(encoder, tail)[0] != encoder.tokenizer.bos_token_id


def test_control_tokens_are_found(encoder):
    assert has_control_tokens(encoder, encoder.renderer.render(TURNS))
    assert not has_control_tokens(encoder, "a plain text")


def test_the_end_is_kept_when_a_text_is_cut(encoder):
    ids = encoder.ids(TURNS)
    assert cut_left(ids, len(ids), None) is ids
    assert cut_left(ids, 5, None).tolist() == ids[-5:].tolist()
    assert cut_left(ids, 5, int(ids[0])).tolist() == [ids[0], *ids[-4:].tolist()]


def test_no_token_is_an_error(encoder):
    with pytest.raises(ContractError):
        rendered_ids(encoder, "")
