"""What earlier versions saved opens in this one, with the same ids and rewards; runs go on, or one line says why not."""

import importlib.util
import json
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from rewardsmith.cli import main
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.version import VERSION

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "golden.json").is_file())


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = loaded("make")


def test_this_version_has_its_golden_folder():
    assert "0.2.0" in VERSIONS
    assert VERSION in VERSIONS, "run python tests/golden/make.py and add the folder"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_model_of_an_earlier_version_gives_its_ids_and_rewards(version):
    golden = json.loads((HERE / version / "golden.json").read_text())
    model = RewardModel.load(HERE / version / "model", device="cpu")
    assert make.ids_of(model) == golden["ids"]
    np.testing.assert_allclose(model.score(make.conversations()), golden["rewards"], atol=1e-4)


def test_a_golden_folder_that_changed_would_be_noticed(tmp_path):
    """The negative control: other weights give other rewards, or are refused."""
    golden = json.loads((HERE / "0.2.0" / "golden.json").read_text())
    shutil.copytree(HERE / "0.2.0" / "model", tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-2] ^= 0x40
    path.write_bytes(data)
    model = RewardModel.load(tmp_path / "model", device="cpu", allow_mismatch=True)
    assert np.abs(np.asarray(model.score(make.conversations())) - golden["rewards"]).max() > 1e-4


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_of_an_earlier_version_goes_on_or_is_refused_in_one_line(version, tmp_path, monkeypatch, capsys):
    shutil.copytree(HERE / version / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    stored = json.loads((tmp_path / "run" / "settings.json").read_text())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    code = main([*make.TRAIN, "--resume"])
    said = capsys.readouterr().err.strip().splitlines()
    here = {
        "rewardsmith": VERSION,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "python": platform.python_version(),
    }
    if code == 0:
        weights = HERE / version / "model" / "model.safetensors"
        assert (tmp_path / "run" / "model" / "model.safetensors").read_bytes() == weights.read_bytes()
        return
    assert {name: stored.get(name) for name in here} != here or "contract: " in said[-1], said[-1]
    assert code == 1
    assert said[-1].startswith("error: ")
    assert "cannot be resumed" in said[-1]
    assert version == VERSION or f"rewardsmith: {version!r} → {VERSION!r}" in said[-1]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
