"""Reward models of the hub, without reward.json: their rewards are those of their own class, and training keeps them."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import foreign
from builders import DATE, pair, tiny
from foreign import CONVERSATIONS
from rewardsmith.errors import ContractError, ModelError
from rewardsmith.model.inferred import describe_start, new_contract
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.value_heads import Choice
from rewardsmith.model.reward_model import RewardModel

CLOSED = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' }}{% endfor %}"


def own_rewards(hf, tokenizer):
    """What a model's card computes: the template's text through the class's forward."""
    return foreign.rewards_by(lambda ids: hf(input_ids=ids).logits[0, 0], tokenizer)


def load(folder, **settings):
    return RewardModel.load(folder, device="cpu", **settings)


def test_a_plain_classifier_scores_as_its_own_class(tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path)
    model = load(tmp_path)
    np.testing.assert_allclose(model.score(CONVERSATIONS), own_rewards(hf, tokenizer), atol=1e-5)
    assert model.contract.inferred
    assert model.understood.startswith(
        "no reward.json; scoring contract (how conversations become tokens) inferred: "
        "head score; the tokenizer's chat template"
    )


@pytest.mark.parametrize("pad", [None, 3], ids=["no pad token", "pad is the end token"])
def test_without_a_pad_token_of_its_own_the_reward_is_still_that_of_plain_transformers(pad, tmp_path):
    hf, tokenizer = foreign.classifier(
        tmp_path, pad_token_id=pad, tokenizer={"pad_token": "<|im_end|>" if pad else None, "chat_template": CLOSED}
    )
    model = load(tmp_path)
    expected = own_rewards(hf, tokenizer)
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5)
    assert model.contract.trim_id == pad
    assert ("is both the padding and the end token" in model.understood) == (pad is not None)
    whole = foreign.rewards_by(lambda ids: hf.score(hf.model(ids).last_hidden_state)[0, -1, 0], tokenizer)
    assert (np.abs(np.array(whole) - expected).max() > 1e-3) == (pad is not None)
    model.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    np.testing.assert_allclose(again.score(CONVERSATIONS), expected, atol=1e-5)
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    tokens = AutoTokenizer.from_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(own_rewards(plain, tokens), expected, atol=1e-5)


def test_a_model_without_a_template_says_what_is_assumed_and_takes_one(tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path, tokenizer={"chat_template": None})
    model = load(tmp_path)
    assert "no chat template, so each turn is rendered as 'role: text'" in model.understood
    assert model.contract.template.count("': '") == 1
    tokenizer.chat_template = CLOSED
    told = load(tmp_path, template=CLOSED)
    np.testing.assert_allclose(told.score(CONVERSATIONS), own_rewards(hf, tokenizer), atol=1e-5)
    assert "no chat template" not in told.understood


def test_of_several_templates_the_default_one_is_used(tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path, tokenizer={"chat_template": {"default": CLOSED, "tool_use": "x"}})
    tokenizer.chat_template = CLOSED
    np.testing.assert_allclose(load(tmp_path).score(CONVERSATIONS), own_rewards(hf, tokenizer), atol=1e-5)


def test_a_stored_contract_is_not_overruled(tmp_path):
    tiny().save(tmp_path / "model")
    with pytest.raises(ContractError, match="has its own scoring contract"):
        load(tmp_path / "model", template=CLOSED)


def test_a_head_with_a_bias_keeps_it(tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({**weights, "score.bias": torch.tensor([2.5])}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = load(tmp_path)
    np.testing.assert_allclose(model.score(CONVERSATIONS), np.array(own_rewards(hf, tokenizer)) + 2.5, atol=1e-5)
    model.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "reward.json").read_text())["offset"] == 2.5
    np.testing.assert_allclose(load(tmp_path / "saved").score(CONVERSATIONS), model.score(CONVERSATIONS), atol=1e-6)


@pytest.mark.parametrize("name", ["v_head", "reward_head", "value_head", "regression_head.out_proj"])
@pytest.mark.parametrize("bare", [False, True], ids=["with model.", "as AutoModel saves it"])
def test_a_head_by_another_name_is_found_by_its_shape(name, bare, tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights[f"{name}.weight"] = weights.pop("score.weight")
    if bare:
        weights = {key.removeprefix("model."): value for key, value in weights.items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = load(tmp_path)
    np.testing.assert_allclose(model.score(CONVERSATIONS), own_rewards(hf, tokenizer), atol=1e-5)
    assert f"head {name}" in model.understood


def test_two_heads_are_not_guessed_between(tmp_path):
    foreign.classifier(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["help.weight"] = weights.pop("score.weight")
    weights["safe.weight"] = weights["help.weight"].clone()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"several heads with one output \((help|safe).weight, (help|safe).weight\)"):
        load(tmp_path)


def test_a_classifier_with_several_labels_asks_which_one(tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path, num_labels=3)
    foreign.change_config(tmp_path, id2label={"0": "helpful", "1": "safe", "2": "brief"})
    with pytest.raises(ContractError, match=r"3 outputs \(helpful, safe, brief\).*--label brief"):
        load(tmp_path)
    outputs = np.array([hf(input_ids=foreign.ids_of(tokenizer, t)).logits[0].tolist() for t in CONVERSATIONS])
    for choice, expected in (
        (Choice("safe"), outputs[:, 1]),
        (Choice("2"), outputs[:, 2]),
        (Choice("helpful", "safe"), outputs[:, 0] - outputs[:, 1]),
    ):
        np.testing.assert_allclose(load(tmp_path, choice=choice).score(CONVERSATIONS), expected, atol=1e-5)
    with pytest.raises(
        ModelError, match=r"no label 'nice'; the labels of the model are helpful, safe, brief \(or 0 to 2\)"
    ):
        load(tmp_path, choice=Choice("nice"))


def test_a_label_of_an_encoder_keeps_its_bias(tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, num_labels=2,
        pad_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    hf = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        hf.classifier.bias.copy_(torch.tensor([0.5, -3.0]))
    hf.save_pretrained(tmp_path)
    tokenizer = foreign.save_tokenizer(tmp_path)
    with torch.no_grad():
        rows = [hf(input_ids=foreign.ids_of(tokenizer, turns)).logits[0] for turns in CONVERSATIONS]
    model = load(tmp_path, choice=Choice("1", "0"))
    np.testing.assert_allclose(model.score(CONVERSATIONS), [float(row[1] - row[0]) for row in rows], atol=1e-5)
    assert model.sidecar.offset == 0


def test_training_starts_from_the_head_that_came_along(tmp_path):
    hf, tokenizer = foreign.classifier(tmp_path)
    backbone = open_backbone(str(tmp_path), seed=7)
    assert not backbone.head_is_new
    contract = new_contract(backbone, max_length=256, date=DATE)
    model = RewardModel.build(backbone, contract, device="cpu")
    np.testing.assert_allclose(model.score(CONVERSATIONS), own_rewards(hf, tokenizer), atol=1e-5)
    assert not contract.inferred
    assert describe_start(backbone, contract).startswith("training continues from a reward model without reward.json")


def test_training_on_a_classifier_of_several_labels_says_that_its_head_goes(tmp_path):
    foreign.classifier(tmp_path, num_labels=2)
    backbone = open_backbone(str(tmp_path))
    assert backbone.head_is_new
    told = describe_start(backbone, new_contract(backbone, max_length=256, date=DATE))
    assert told == "the head with 2 outputs is replaced by a new head with one output"


def test_a_tokenizer_written_in_python_scores_cuts_and_saves(tmp_path):
    from transformers import AutoTokenizer, ByT5Tokenizer, LlamaForSequenceClassification

    tokenizer = ByT5Tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '</s>' }}{% endfor %}"
    torch.manual_seed(0)
    config = foreign.config(num_labels=1, eos_token_id=1)
    config.vocab_size = len(tokenizer)
    hf = LlamaForSequenceClassification(config).eval()
    hf.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert not AutoTokenizer.from_pretrained(tmp_path).is_fast
    model = load(tmp_path, max_length=128)
    expected = own_rewards(hf, tokenizer)
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5)
    encoded = model.encode(pair("天空" * 100, "yes", "x" * 300))
    assert encoded.overlong
    assert encoded.cuts.prompt_tokens[0] > 0
    assert max(map(len, encoded.sequences)) <= 128
    model.save(tmp_path / "saved")
    np.testing.assert_allclose(load(tmp_path / "saved").score(CONVERSATIONS), expected, atol=1e-5)


def test_a_hub_name_in_the_cache_is_recognised_like_a_folder(tmp_path, monkeypatch):
    from huggingface_hub import constants

    snapshot = tmp_path / "models--some-org--value-head" / "snapshots" / "abc123"
    expected = foreign.trl(snapshot)
    refs = tmp_path / "models--some-org--value-head" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc123")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    model = load("some-org/value-head")
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5)
    assert "v_head.summary of TRL" in model.understood
