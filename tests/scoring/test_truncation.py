"""What is cut of a conversation that is too long: as little as the rule allows, and never because of its siblings."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DATE, pair, tiny
from rewardsmith.errors import ContractError
from rewardsmith.files import hash_text
from rewardsmith.model.conversations import one_response
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.records import Message, Record, Response
from rewardsmith.scoring.contract import ScoringContract, make_contract
from rewardsmith.scoring.tokens import Encoder
from rewardsmith.scoring.trees import build_tree


def encoder(max_length=128, version=2):
    tokenizer = byte_tokenizer()
    contract = make_contract(tokenizer, "decoder", max_length=max_length, date=DATE)
    return Encoder(tokenizer, replace(contract, version=version))


def record(prompt, *answers):
    return Record(prompt, tuple(Response((Message("assistant", text),)) for text in answers))


def alone(enc, one, index):
    """The token ids of one response without its siblings, as `RewardModel.score` gives them."""
    return enc.encode(one_response([*one.prompt, *one.responses[index].messages])).sequences[0].tolist()


LONG = (Message("user", "0123456789" * 30 + "END"),)
TURNS = (
    Message("system", "be kind"),
    *(Message(role, f"{role} {k} " + "x" * 20) for k in range(4) for role in ("user", "assistant")),
    Message("user", "last"),
)


def test_what_fits_whole_is_scored_whole_although_its_prompt_is_above_the_budget():
    enc = encoder()
    prompt = (Message("user", "p" * 70),)
    encoded = enc.encode(record(prompt, "yes", "no"))
    assert len(enc.ids(prompt)) > enc.contract.prompt_budget
    assert not encoded.cuts.any
    assert encoded.sequences[0].tolist() == enc.ids((*prompt, Message("assistant", "yes"))).tolist()


def test_a_model_of_the_old_rule_still_cuts_that_prompt_to_the_budget():
    enc = encoder(version=1)
    prompt = (Message("user", "p" * 70),)
    encoded = enc.encode(record(prompt, "yes", "no"))
    lost = len(enc.ids(prompt)) - enc.contract.prompt_budget
    assert encoded.cuts.prompt_tokens == (lost, lost)
    assert len(encoded.sequences[0]) == len(enc.ids((*prompt, Message("assistant", "yes")))) - lost


def test_only_the_response_that_does_not_fit_stands_behind_a_shortened_prompt():
    enc = encoder(max_length=200)
    one = record((Message("user", "p" * 120),), "a", "b" * 60)
    encoded = enc.encode(one)
    whole, cut = (enc.tokenizer.decode(ids) for ids in encoded.sequences)
    assert "p" * 120 in whole
    assert "b" * 60 in cut
    assert "p" * 120 not in cut
    assert encoded.cuts.prompt_tokens[0] == 0
    assert encoded.cuts.prompt_tokens[1] == len(enc.ids(one.prompt)) - enc.contract.prompt_budget
    assert encoded.cuts.different_context
    assert (encoded.cuts.prompts, encoded.cuts.responses, encoded.cuts.hit) == (1, 0, 1)


def test_siblings_that_do_not_fit_stand_behind_the_same_prompt():
    enc = encoder(max_length=200)
    encoded = enc.encode(record(TURNS, "a", "b" * 60))
    short, long = (enc.tokenizer.decode(ids) for ids in encoded.sequences)
    assert short.rpartition("<|im_start|>")[0] == long.rpartition("<|im_start|>")[0]
    assert short.startswith("<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\n")
    assert "user\nlast<|im_end|>" in short
    assert encoded.cuts.prompt_turns == (8, 8)
    assert encoded.cuts.response_tokens == (0, 0)
    assert not encoded.cuts.different_context


def test_a_single_long_prompt_loses_its_left_and_keeps_the_budget():
    enc = encoder()
    encoded = enc.encode(record(LONG, "yes", "no"))
    assert "END<|im_end|>" in enc.tokenizer.decode(encoded.sequences[0])
    lost = len(enc.ids(LONG)) - enc.contract.prompt_budget
    assert encoded.cuts.prompt_tokens == (lost, lost)
    assert not encoded.overlong


def test_a_short_prompt_is_never_cut_for_a_long_response():
    enc = encoder()
    encoded = enc.encode(pair("q", "a" * 300, "b"))
    assert "user\nq<|im_end|>" in enc.tokenizer.decode(encoded.sequences[0])
    assert (encoded.cuts.prompts, encoded.cuts.responses) == (0, 1)


ANSWERS = st.integers(0, 150).map(lambda length: "a" * length)
PROMPTS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.integers(0, 90)).map(lambda m: Message(m[0], "p" * m[1])),
    max_size=4,
).map(lambda turns: (*turns, Message("user", "why?")))


@settings(max_examples=80, deadline=None)
@given(PROMPTS, st.lists(ANSWERS, min_size=2, max_size=4), st.sampled_from([1, 2]))
def test_token_ids_never_depend_on_siblings(prompt, answers, version):
    enc = encoder(version=version)
    one = record(prompt, *answers)
    encoded = enc.encode(one)
    assert [ids.tolist() for ids in encoded.sequences] == [alone(enc, one, k) for k in range(len(answers))]
    assert all(len(ids) <= enc.contract.max_length for ids in encoded.sequences)
    for k, text in enumerate(answers):
        whole = len(enc.ids((*prompt, Message("assistant", text))))
        assert (len(encoded.sequences[k]) == whole) >= (version == 2 and whole <= enc.contract.max_length)


@settings(max_examples=40, deadline=None)
@given(PROMPTS, st.lists(PROMPTS, min_size=2, max_size=3))
def test_where_dialogues_part_changes_nothing_either(prompt, continuations):
    """Of two dialogues the prompt is what they share, so that it hangs on the sibling; what is kept of each does not."""
    enc = encoder()
    answers = [(*turns, Message("assistant", "so")) for turns in continuations]
    one = Record(prompt, tuple(Response(messages) for messages in answers))
    encoded = enc.encode(one)
    for k, messages in enumerate(answers):
        assert encoded.sequences[k].tolist() == alone(enc, one, k), messages


def test_a_tree_of_siblings_with_different_prompts_gives_the_rewards_of_each_alone():
    model = tiny(max_length=200)
    one = record((Message("system", "short"), Message("user", "p" * 120)), "a", "b" * 60, "c" * 70, "d")
    encoded = model.encode(one)
    assert encoded.cuts.different_context
    tree = build_tree(encoded.sequences)
    assert 0 < len(tree.prefix) < len(model.encoder.ids(one.prompt))
    rewards = next(model.score_records([one]))
    each = model.score([[*one.prompt, *response.messages] for response in one.responses])
    np.testing.assert_allclose(rewards, each, atol=1e-5)


def test_the_rule_is_stored_and_the_hash_of_an_old_contract_is_as_it_was(tmp_path):
    contract = encoder().contract
    assert contract.to_json()["version"] == 2
    assert ScoringContract.from_json(contract.to_json()) == contract
    old = replace(contract, version=1)
    assert ScoringContract.from_json(old.to_json()) == old
    keys = {
        *("kind", "template", "pad_token_id", "tokenizer_hash", "max_length", "response_reserve", "template_kwargs"),
        *("default_system", "suffix", "bare_needs_user", "date", "inferred", "trim_id", "version", "template_hash"),
    }
    assert old.to_json().keys() == keys  # those of version 0.3.0: its hashes stand in the runs of that time
    with pytest.raises(ContractError, match="version 3; this program reads 1 and 2"):
        ScoringContract.from_json({**old.to_json(), "version": 3})
    assert hash_text(json.dumps(old.to_json(), sort_keys=True)) != hash_text(
        json.dumps(contract.to_json(), sort_keys=True)
    )


def test_a_model_that_is_saved_again_keeps_its_rule(tmp_path):
    from rewardsmith.model.reward_model import RewardModel

    model = tiny(max_length=200)
    model.sidecar = replace(model.sidecar, contract=replace(model.contract, version=1))
    model.__post_init__()
    model.save(tmp_path / "old")
    loaded = RewardModel.load(tmp_path / "old")
    assert loaded.contract.version == 1
    assert loaded.encode(record((Message("user", "p" * 120),), "a")).cuts.any
    loaded.save(tmp_path / "again")
    assert RewardModel.load(tmp_path / "again").contract.version == 1
