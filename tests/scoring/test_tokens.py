import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DATE, pair, tiny
from rewardsmith.errors import ContractError
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.records import Message, Record, Response
from rewardsmith.scoring.contract import ScoringContract, choose_pad_token, make_contract
from rewardsmith.scoring.templates.clock import pin_clock
from rewardsmith.scoring.tokens import Encoder


def encoder(max_length=256, template=None, **kwargs):
    tokenizer = byte_tokenizer()
    if template:
        tokenizer.chat_template = template
    return Encoder(tokenizer, make_contract(tokenizer, "decoder", max_length=max_length, date=DATE, **kwargs))


def texts(enc, record):
    return [enc.tokenizer.decode(ids) for ids in enc.encode(record).sequences]


def test_a_pair_is_rendered_by_the_template_and_ends_with_its_suffix():
    enc = encoder()
    assert texts(enc, pair("hi", "yes", "no")) == [
        f"<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n" for answer in ("yes", "no")
    ]
    assert enc.contract.suffix == "<|im_end|>\n"


def test_the_ids_are_those_of_apply_chat_template():
    enc = encoder()
    turns = [{"role": "user", "content": "你好, wörld 😀"}, {"role": "assistant", "content": " ok\n"}]
    expected = enc.tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"]
    assert enc.encode(pair("你好, wörld 😀", " ok\n", "x")).sequences[0].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["<|im_end|>", "<|im_start|>", "<|pad|>", "<|bos|>", "user\n", "a", "你", " ", "\n", "<|im_"]),
        min_size=1,
        max_size=8,
    )
)
def test_user_text_never_forges_a_control_token(parts):
    enc = encoder(max_length=2048)
    text = "".join(parts)
    clean = enc.encode(pair("q", "a", "b")).sequences[0]
    ids = enc.encode(pair(text, text, "b")).sequences[0]
    special = np.isin(ids, list(enc.control.ids)).sum()
    assert special == np.isin(clean, list(enc.control.ids)).sum()
    plain = enc.tokenizer.decode(ids)
    assert plain.count(text) >= 2


def test_forged_contents_are_counted():
    enc = encoder()
    assert enc.encode(pair("hi <|im_end|>", "yes", "<|pad|>")).forged == 2
    assert enc.encode(pair("hi", "yes", "no")).forged == 0


def test_a_template_that_trims_trims_literal_contents_too():
    template = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + ':' + m['content'] | trim + '<|im_end|>' }}{% endfor %}"
    )
    enc = encoder(template=template)
    assert texts(enc, pair("q", "  x<|pad|>  ", "b"))[0].endswith("assistant:x<|pad|><|im_end|>")


def test_chinese_is_cut_between_characters():
    encoded = encoder(max_length=128).encode(pair("天空为什么是蓝色的" * 20, "好", "不"))
    assert "\ufffd" not in byte_tokenizer().decode(encoded.sequences[0])


def test_a_long_response_loses_its_end_but_not_the_suffix():
    enc = encoder(max_length=128)
    encoded = enc.encode(pair("q", "a" * 300, "b"))
    assert encoded.overlong
    assert len(encoded.sequences[0]) == 128
    assert encoded.sequences[0].tolist()[-2:] == enc.ids((Message("user", ""),)).tolist()[-2:]
    assert encoded.cuts.response_tokens[1] == 0


def test_max_length_too_small_is_refused_with_the_number_to_use():
    with pytest.raises(ContractError, match=r"max_length 20 is too small.*use at least \d+"):
        encoder(max_length=20)


def test_a_system_prompt_that_fills_the_budget_is_refused():
    record = Record((Message("system", "s" * 300),), (Response((Message("assistant", "a" * 50),)),))
    with pytest.raises(ContractError, match="system prompt alone"):
        encoder(max_length=128).encode(record)


def test_a_response_without_a_prompt_is_an_assistant_turn_alone():
    assert texts(encoder(), pair("", "yes", "no"))[0] == "<|im_start|>assistant\nyes<|im_end|>\n"


def test_a_template_that_insists_on_a_user_turn_gets_an_empty_one():
    template = (
        "{% if messages[0]['role'] != 'user' %}{{ raise_exception('user first') }}{% endif %}"
        "{% for m in messages %}{{ m['role'] + '|' + m['content'] + '<|im_end|>' }}{% endfor %}"
    )
    enc = encoder(template=template)
    assert enc.contract.bare_needs_user
    assert texts(enc, pair("", "yes", "no"))[0] == "user|<|im_end|>assistant|yes<|im_end|>"


def test_clock_calls_are_pinned_to_the_stored_date():
    template = "{% for m in messages %}{{ strftime_now('%d %b %Y') + m['role'] + m['content'] }}{% endfor %}"
    assert texts(encoder(template=template), pair("", "x", "y"))[0] == "04 Mar 2026assistantx"
    assert "strftime_now(" not in pin_clock('{{ strftime_now("%Y") }}', DATE)


def test_the_contract_survives_json_and_refuses_an_edited_template():
    contract = encoder(default_system="Be brief.").contract
    stored = contract.to_json()
    assert ScoringContract.from_json(stored) == contract
    with pytest.raises(ContractError, match="does not match its stored hash"):
        ScoringContract.from_json({**stored, "template": stored["template"] + " "})


def test_the_default_system_prompt_is_added_where_there_is_none():
    enc = encoder(default_system="Be brief.")
    assert texts(enc, pair("hi", "a", "b"))[0].startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user")


def test_pad_is_never_the_end_token():
    tokenizer = byte_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    choose_pad_token(tokenizer, "decoder")
    assert tokenizer.pad_token == "<|pad|>"


def test_a_bos_in_the_template_is_not_doubled():
    template = "{{ bos_token }}{% for m in messages %}{{ m['role'] + m['content'] }}{% endfor %}"
    enc = encoder(template=template)
    assert (enc.encode(pair("hi", "a", "b")).sequences[0] == enc.tokenizer.bos_token_id).sum() == 1


def test_an_unrenderable_conversation_says_which_roles():
    model = tiny()
    model.encoder.renderer.template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(
        ContractError, match=r"rejects this conversation \(roles: user, assistant\): roles must alternate"
    ):
        model.encode(pair("hi", "a", "b"))


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("奖励😀é a\u0301"), min_size=60, max_size=120), st.integers(48, 90))
def test_a_cut_of_bytes_leaves_whole_characters_on_both_sides(text, max_length):
    enc = encoder(max_length=max_length)
    said = texts(enc, pair(text, text, text + "!"))[0]
    prompt, response = said.split("<|im_end|>\n<|im_start|>assistant\n")
    assert text.endswith(prompt.removeprefix("<|im_start|>user\n"))
    assert text.startswith(response.removesuffix("<|im_end|>\n"))
