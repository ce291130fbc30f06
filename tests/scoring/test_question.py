"""A question behind every answer: part of the template, before what is pooled, in every model's own form."""

import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from builders import DATE, from_config, pair, tiny
from rewardsmith.errors import ContractError
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.records import Message, Record, Response
from rewardsmith.scoring.contract import make_contract
from rewardsmith.scoring.question import template_with
from rewardsmith.scoring.tokens import Encoder

QUESTION = '这个回答"好"吗？\n{{ 1 }} How good is it?'
TURNS = (Message("user", "hello"), Message("assistant", "an answer"))


def asking(tokenizer, question=QUESTION, kind="decoder", max_length=256):
    tokenizer.chat_template = template_with(tokenizer, kind, question)
    return Encoder(tokenizer, make_contract(tokenizer, kind, max_length=max_length, date=DATE))


def test_the_question_stands_behind_the_answer_and_the_next_turn_is_begun():
    tokenizer = byte_tokenizer()
    plain = Encoder(tokenizer, make_contract(tokenizer, "decoder", max_length=256, date=DATE))
    expected = tokenizer.apply_chat_template(
        [*({"role": m.role, "content": m.content} for m in TURNS), {"role": "user", "content": QUESTION}],
        tokenize=False, add_generation_prompt=True,
    )  # fmt: skip
    before = plain.renderer.render(TURNS)
    encoder = asking(tokenizer)
    assert encoder.renderer.render(TURNS) == expected
    assert expected.startswith(before)
    assert encoder.contract.suffix == expected[expected.index("an answer") + len("an answer") :]


def test_a_template_without_turns_to_begin_gets_the_question_alone():
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = None
    encoder = asking(tokenizer, "good?")
    assert encoder.renderer.render(TURNS).endswith("user: good?\n\n" + (tokenizer.eos_token or ""))


def test_a_template_that_ends_before_the_question_could_stand_is_refused():
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{{ messages[0].content }}{{ messages[1].content }}"
    with pytest.raises(ContractError, match="remove --question"):
        template_with(tokenizer, "decoder", "good?")


def test_a_question_cannot_forge_a_turn():
    with pytest.raises(ContractError, match="contains the text of the special token"):
        template_with(byte_tokenizer(), "decoder", f"good?{byte_tokenizer().eos_token}")


def test_a_long_answer_is_cut_before_the_question():
    encoder = asking(byte_tokenizer(), "good?", max_length=96)
    encoded = encoder.encode(Record(TURNS[:1], (Response((Message("assistant", "long " * 40),)),)))
    assert encoded.overlong
    assert len(encoded.sequences[0]) <= 96
    assert "good?" in encoder.tokenizer.decode(encoded.sequences[0])


def test_plain_transformers_reads_the_question_with_the_saved_tokenizer(tmp_path):
    from dataclasses import replace

    from rewardsmith.model.reward_model import RewardModel

    model = tiny()
    encoder = asking(model.tokenizer)
    model = RewardModel(model.network, model.tokenizer, replace(model.sidecar, contract=encoder.contract))
    model.save(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    text = tokenizer.apply_chat_template([{"role": m.role, "content": m.content} for m in TURNS], tokenize=False)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    reward = RewardModel.load(tmp_path / "model", device="cpu").score([TURNS])[0]
    assert plain(**ids).logits[0, 0].item() == pytest.approx(reward, abs=1e-5)


def test_an_encoder_reads_the_question_in_its_one_segment():
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = from_config(BertConfig(**sizes, max_position_embeddings=256))
    encoder = asking(model.tokenizer, "good?", kind="encoder")
    tokens = model.tokenizer.decode(encoder.encode(pair("q", "yes", "no")).sequences[0])
    assert tokens.count("[CLS]") == 1
    assert tokens.rstrip().endswith("user: good?[SEP]")
