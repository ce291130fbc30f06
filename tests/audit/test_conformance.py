"""A sound model passes every check, and each way of breaking one is caught by the check for it."""

import numpy as np
import pytest
import torch

from builders import from_config, tiny
from rewardsmith.audit.biases.texts import PARALLEL
from rewardsmith.audit.conformance import CHECKS, conformance, one_text
from rewardsmith.records import Message

TEXTS = [(Message("user", item[k]), Message("assistant", item[k + 1])) for item in PARALLEL[:6] for k in (0, 2)]


def by_name(model, texts=TEXTS):
    return {check.name: check for check in conformance(model, texts)}


@pytest.fixture(scope="module")
def sound():
    return by_name(tiny(head_scale=20))


def test_the_tiny_model_passes_every_invariance(sound):
    assert {*sound} == {*CHECKS, "truncation"}
    broken = {name for name, check in sound.items() if check.outcome == "broken"}
    assert broken <= {"dtype_bf16"}  # random weights have large activations and a small spread of rewards
    invariant = [check for check in sound.values() if check.outcome == "holds"]
    assert len(invariant) == 11 - len(broken)
    assert all(check.difference <= check.bound for check in invariant if check.name != "truncation")


def test_a_missing_end_token_is_measured_and_changes_the_order(sound):
    assert sound["end_missing"].outcome == "measured"
    assert sound["end_missing"].difference_sd > 0.1
    assert sound["end_missing"].reordered > 0
    assert sound["bos_doubled"].outcome == "not_checked"
    assert "BOS" in sound["bos_doubled"].why.en


def test_a_text_that_no_longer_fits_with_a_token_more_is_no_broken_template():
    """The token makes the text too long, so that a whole earlier turn is cut, with the end token of that turn."""
    fits = tiny(head_scale=20, max_length=96)
    turns = (Message("user", "q" * 20), Message("assistant", "a" * 10), Message("user", "Why?"))
    texts = [(*turns, Message("assistant", "b" * size)) for size in range(1, 40)]
    whole = [text for text in texts if not fits.encode(one_text(text)).cuts.any]
    assert 0 < len(whole) < len(texts)
    assert by_name(fits, whole)["special_text"].outcome == "holds"
    longest = by_name(fits, whole[-1:])["special_text"]
    assert longest.outcome == "not_checked"
    assert "max_length" in longest.why.en


def test_an_encoder_is_checked_where_it_can_be():
    from transformers import BertConfig

    config = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    found = by_name(from_config(config))
    assert found["padding_right"].outcome == "holds"
    assert found["padding_left"].outcome == "not_checked"
    assert found["shared_prefix"].outcome == "not_checked"
    assert {name for name, check in found.items() if check.outcome == "broken"} == set()


def test_absolute_positions_break_under_left_padding():
    from transformers import GPT2Config

    found = by_name(from_config(GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=512)))
    assert found["padding_left"].outcome == "broken"
    assert found["padding_right"].outcome == "holds"


def test_a_model_whose_rewards_depend_on_the_batch_is_broken():
    model = tiny(head_scale=20)
    forward = model.network.forward

    def leaking(batch, **keywords):
        rewards = forward(batch, **keywords)
        return rewards + 0.5 * (len(rewards) > 1)

    model.network.forward = leaking
    assert by_name(model)["batch_size"].outcome == "broken"


def test_another_template_in_the_tokenizer_is_broken():
    model = tiny(head_scale=20)
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    assert by_name(model)["template"].outcome == "broken"


def test_bf16_rounds_more_than_fp16_and_the_batch_stays_the_same():
    model = tiny()
    with torch.no_grad():
        model.network.hf.model.norm.weight[0] += 300.0
        model.network.head.weight[:, 0] = 0.7
        model.network.head.weight[:, 1] = 200.0
    found = by_name(model)
    assert found["dtype_bf16"].difference_sd > found["dtype_fp16"].difference_sd
    assert found["batch_size"].outcome == "holds"


def test_without_a_text_that_fits_nothing_is_checked():
    long = [(Message("user", "x"), Message("assistant", "word " * 500))]
    assert {check.outcome for check in conformance(tiny(max_length=128), long)} == {"not_checked"}


def test_the_model_is_left_as_it_was(sound):
    model = tiny()
    before = (model.network.packed, model.network.autocast, model.network.training)
    rewards = model.score(TEXTS)
    conformance(model, TEXTS)
    assert (model.network.packed, model.network.autocast, model.network.training) == before
    assert np.array_equal(model.score(TEXTS), rewards)
