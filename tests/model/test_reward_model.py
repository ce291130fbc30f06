import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from builders import pair, tiny
from rewardsmith.errors import ContractError, DataError, ModelError
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.reward_model import RewardModel


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = tiny(seed=3)
    model.save(folder)
    return folder, model


def test_a_saved_model_gives_the_same_rewards(saved):
    folder, model = saved
    records = [pair("你好", "是的", "no"), pair("", "a", "b")]
    again = RewardModel.load(folder, device="cpu")
    for before, after in zip(model.score_records(records), again.score_records(records), strict=True):
        assert before.tolist() == after.tolist()
    assert not again.contract.inferred


def test_the_folder_holds_no_pickle(saved):
    assert {path.suffix for path in saved[0].iterdir()} <= {".safetensors", ".json", ".jinja", ".md"}


def test_plain_transformers_gives_the_same_rewards(saved):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder, model = saved
    tokenizer = AutoTokenizer.from_pretrained(folder)
    hf = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    turns = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "yes"}]
    ids = tokenizer.apply_chat_template([turns], return_dict=True, return_tensors="pt")
    with torch.no_grad():
        reward = hf(**ids).logits.item()
    assert abs(reward - model.score([turns])[0]) <= 1e-5
    assert hf.config.problem_type == "regression"


def copy_without_manifest(folder, place):
    """A copy as older versions wrote it: what its files hold is noticed by the probes alone."""
    shutil.copytree(folder, place)
    (place / "manifest.json").unlink()
    return place


def test_changed_weights_are_noticed(saved, tmp_path):
    folder = copy_without_manifest(saved[0], tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = weights["score.weight"] * 1.01
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ContractError, match=r"probe 0 has reward .* weights or a library changed"):
        RewardModel.load(folder, device="cpu")
    RewardModel.load(folder, device="cpu", allow_mismatch=True)


def test_a_changed_tokenizer_is_noticed(saved, tmp_path):
    folder = copy_without_manifest(saved[0], tmp_path / "copy")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ContractError, match=r"other tokens .* tokenizer or the chat template changed"):
        RewardModel.load(folder, device="cpu")


def test_a_damaged_sidecar_is_refused(saved, tmp_path):
    folder = copy_without_manifest(saved[0], tmp_path / "copy")
    (folder / "reward.json").write_text("{")
    with pytest.raises(ContractError, match=r"reward.json is damaged"):
        RewardModel.load(folder, device="cpu")


def test_a_model_without_sidecar_gets_an_inferred_contract(saved, tmp_path):
    folder = copy_without_manifest(saved[0], tmp_path / "copy")
    (folder / "reward.json").unlink()
    model = RewardModel.load(folder, device="cpu")
    assert model.contract.inferred
    assert model.score(["hello"])[0] == pytest.approx(saved[1].score(["hello"])[0], abs=1e-6)


def test_rank_sorts_by_reward_and_keeps_the_indices():
    model = tiny()
    ranked = model.rank("why?", ["a", "bb", "ccc"])
    rewards = dict(ranked)
    assert sorted(rewards) == [0, 1, 2]
    assert [reward for _, reward in ranked] == sorted(rewards.values(), reverse=True)
    turns = [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "bb"}]
    assert model.score([turns])[0] == pytest.approx(rewards[1], abs=1e-6)


def test_score_refuses_what_is_no_conversation_to_score():
    model = tiny()
    with pytest.raises(DataError, match="must end with an assistant turn, got user"):
        model.score([[{"role": "user", "content": "hi"}]])
    with pytest.raises(DataError, match="expected a message"):
        model.score([[{"role": "user", "text": "hi"}]])


def test_an_unknown_model_names_the_choices():
    with pytest.raises(ModelError, match=r"unknown model 'nonsense'.*smollm2-135m"):
        open_backbone("nonsense")


def test_an_embedded_model_that_is_not_installed_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="run: rewardsmith models get minilm-l6"):
        open_backbone("minilm-l6")


def test_a_hub_name_that_cannot_be_reached_names_the_offline_choices():
    with pytest.raises(ModelError, match=r"no such folder 'some-org/some-model'.*tiny, smollm2-135m"):
        open_backbone("some-org/some-model")


def test_the_tokenizer_may_allow_less_than_the_config():
    backbone = open_backbone("tiny")
    assert backbone.longest == 256
    backbone.tokenizer.model_max_length = 200
    assert backbone.longest == 200


def test_the_first_layers_are_kept(saved):
    backbone = open_backbone(str(saved[0]), layers=1)
    assert backbone.hf.config.num_hidden_layers == 1
    assert not backbone.head_is_new
    with pytest.raises(ModelError, match="has 2 layers"):
        open_backbone(str(saved[0]), layers=3)


def test_a_new_head_on_a_pretrained_backbone_starts_near_zero(tmp_path):
    from transformers import LlamaForCausalLM

    source = tiny()
    config = source.network.hf.config
    config.architectures = None
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    source.tokenizer.save_pretrained(tmp_path)
    backbone = open_backbone(str(tmp_path))
    assert backbone.head_is_new
    model = RewardModel.build(backbone, source.contract, device="cpu")
    rewards = np.concatenate(list(model.score_records([pair("why?", "yes", "no")])))
    assert np.abs(rewards).max() < 0.5


def test_normal_rewards_never_become_probabilities(saved):
    model = RewardModel.load(saved[0], device="cpu")
    with torch.no_grad():
        model.network.head.weight.mul_(50)
    assert np.abs(model.score(["hello", "你好"])).max() > 1


def test_a_model_shows_its_facts_and_not_its_layers():
    model = tiny(max_length=128)
    total = sum(parameter.numel() for parameter in model.network.hf.parameters())
    facts = f"LlamaForSequenceClassification, parameters={total}, dtype=float32, device=cpu, max_length=128, heads=1"
    assert repr(model) == f"RewardModel({facts}, mismatch=False)"
    model.mismatch, model.network.autocast = "other weights", torch.bfloat16
    assert repr(model) == f"RewardModel({facts.replace('float32', 'bfloat16')}, mismatch=True)"
