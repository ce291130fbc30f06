"""Checkpoints of TRL, LLaMA-Factory and OpenRLHF give the rewards of their own programs, opened or imported."""

import json
import shutil

import numpy as np
import pytest
import torch

import foreign
from foreign import CONVERSATIONS
from rewardsmith.commands import import_
from rewardsmith.errors import ModelError, OutputError, UsageError
from rewardsmith.model.loading.value_heads import Choice
from rewardsmith.model.reward_model import RewardModel

PROGRAMS = {
    "trl": (foreign.trl, "v_head.summary of TRL with bias"),
    "llama-factory": (foreign.llama_factory, "v_head.summary of LLaMA-Factory (value_head.safetensors) with bias"),
    "llama-factory-lora": (foreign.llama_factory_lora, "LoRA adapter merged into"),
    "openrlhf": (foreign.openrlhf, "value_head of OpenRLHF; "),
    "openrlhf-score": (lambda folder: foreign.openrlhf(folder, prefix="score"), "score of OpenRLHF; "),
}


@pytest.fixture(scope="module", params=PROGRAMS)
def checkpoint(request, tmp_path_factory):
    if request.param.endswith("lora"):
        pytest.importorskip("peft", reason="reading LoRA adapters needs peft")
    write, words = PROGRAMS[request.param]
    folder = tmp_path_factory.mktemp(request.param) / "checkpoint"
    return folder, write(folder), words


def test_a_checkpoint_is_recognised_and_gives_the_rewards_of_its_program(checkpoint):
    folder, expected, words = checkpoint
    assert abs(expected[0] - expected[1]) > 1e-2
    model = RewardModel.load(folder, device="cpu")
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5, rtol=0)
    assert words in model.understood
    assert model.contract.inferred


def test_an_imported_checkpoint_gives_the_same_rewards_and_opens_in_plain_transformers(checkpoint, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder, expected, words = checkpoint
    result = import_.run(import_.Config(model=str(folder), output=tmp_path / "model"))
    assert words in result.to_text()
    model = RewardModel.load(tmp_path / "model", device="cpu")
    assert model.understood == ""
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5, rtol=0)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    rewards = foreign.rewards_by(lambda ids: plain(input_ids=ids).logits[0, 0], tokenizer)
    np.testing.assert_allclose(np.array(rewards) + result.offset, expected, atol=1e-5, rtol=0)
    assert (result.offset != 0) == ("bias" in result.understood)
    assert not [path for path in (tmp_path / "model").rglob("*") if "adapter" in path.name]


def test_openrlhf_statistics_become_the_normaliser_and_the_raw_reward_stays(tmp_path):
    expected = foreign.openrlhf(tmp_path / "checkpoint")
    config = import_.Config(model=str(tmp_path / "checkpoint"), output=tmp_path / "model")
    assert import_.run(config).to_json()["normalizer"] == {"mean": 0.25, "std": 1.5}
    stored = json.loads((tmp_path / "model" / "reward.json").read_text())
    assert (stored["normalizer"]["mean"], stored["normalizer"]["std"]) == (0.25, 1.5)
    np.testing.assert_allclose(
        RewardModel.load(tmp_path / "model", device="cpu").score(CONVERSATIONS), expected, atol=1e-5, rtol=0
    )


def test_a_sequence_classification_adapter_brings_its_own_head(tmp_path):
    peft = pytest.importorskip("peft")
    hf, tokenizer = foreign.classifier(tmp_path / "base")
    adapted = peft.get_peft_model(hf, peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["q_proj"])).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                parameter.normal_(std=0.2)
    adapted.save_pretrained(tmp_path / "adapter")
    expected = foreign.rewards_by(lambda ids: adapted(input_ids=ids).logits[0, 0], tokenizer)
    model = RewardModel.load(tmp_path / "adapter", device="cpu", choice=Choice(base=str(tmp_path / "base")))
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5, rtol=0)
    assert "score of the adapter (LoRA adapter merged into" in model.understood


def test_an_adapter_without_its_base_says_how_to_name_it(tmp_path):
    pytest.importorskip("peft")
    expected = foreign.llama_factory_lora(tmp_path / "adapter")
    (tmp_path / "adapter-base").rename(tmp_path / "moved")
    with pytest.raises(
        ModelError, match=r"LoRA adapter whose base model .*adapter-base does not exist; .*--base FOLDER"
    ):
        RewardModel.load(tmp_path / "adapter", device="cpu")
    config = import_.Config(model=str(tmp_path / "adapter"), output=tmp_path / "model", base=str(tmp_path / "moved"))
    import_.run(config)
    np.testing.assert_allclose(
        RewardModel.load(tmp_path / "model", device="cpu").score(CONVERSATIONS), expected, atol=1e-5, rtol=0
    )


def test_an_adapter_that_does_not_fit_its_base_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("peft")
    foreign.llama_factory_lora(tmp_path / "adapter")
    shutil.rmtree(tmp_path / "adapter-base")
    monkeypatch.setitem(foreign.SIZES, "num_hidden_layers", 1)
    foreign.language_model()[0].save_pretrained(tmp_path / "adapter-base")
    foreign.save_tokenizer(tmp_path / "adapter-base")
    with pytest.raises(ModelError, match=r"does not match its base model \(.*layers.1.* have no counterpart\)"):
        RewardModel.load(tmp_path / "adapter", device="cpu")


def test_import_writes_the_template_it_is_given(tmp_path):
    foreign.classifier(tmp_path / "public", tokenizer={"chat_template": None})
    template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    (tmp_path / "template.jinja").write_text(template)
    config = import_.Config(
        model=str(tmp_path / "public"), output=tmp_path / "model", template=tmp_path / "template.jinja", max_length=200
    )
    import_.run(config)
    contract = RewardModel.load(tmp_path / "model", device="cpu").contract
    assert contract.template == template
    assert contract.max_length == 200
    assert contract.inferred


def test_import_refuses_what_is_no_import(tmp_path):
    foreign.trl(tmp_path / "trl")
    model = str(tmp_path / "trl")
    import_.run(import_.Config(model=model, output=tmp_path / "model"))
    with pytest.raises(OutputError, match="is not empty"):
        import_.run(import_.Config(model=model, output=tmp_path / "model"))
    with pytest.raises(OutputError, match="contains the input"):
        import_.run(import_.Config(model=model, output=tmp_path, overwrite=True))
    with pytest.raises(ModelError, match=r"already has a reward.json"):
        import_.run(import_.Config(model=str(tmp_path / "model"), output=tmp_path / "again"))
    with pytest.raises(UsageError, match="--minus 0 needs --label"):
        import_.Config(model=model, output=tmp_path / "x", minus="0")
    with pytest.raises(UsageError, match="--template"):
        import_.run(import_.Config(model=model, output=tmp_path / "x", template=tmp_path / "none"))


@pytest.mark.parametrize("write", [foreign.trl, foreign.llama_factory_lora])
def test_training_goes_on_from_an_imported_head_and_every_weight_learns(write, tmp_path):
    from rewardsmith.commands import train

    if write is foreign.llama_factory_lora:
        pytest.importorskip("peft")
    expected = write(tmp_path / "start")
    settings = {"dataset": ("synthetic:60",), "report": False, "threads": 1, "device": "cpu"}
    still = train.Config(
        model=str(tmp_path / "start"), output=tmp_path / "still", lr=1e-12, weight_decay=0.0, **settings
    )
    result = train.run(still).to_json()
    assert result["trainable_parameters"] == result["parameters"]
    model = RewardModel.load(tmp_path / "still", device="cpu")
    np.testing.assert_allclose(model.score(CONVERSATIONS), expected, atol=1e-5, rtol=0)
    assert not model.contract.inferred
