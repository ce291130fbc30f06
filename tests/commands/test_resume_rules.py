"""What a run may be resumed under: the same settings, data, tokenizer, weights and versions; another machine is noted."""

import json
import re
import shutil

import pytest
from safetensors.torch import load_file, save_file

from builders import tiny
from rewardsmith.bench.environment import VERSIONS, code_commit, versions
from rewardsmith.commands import train
from rewardsmith.errors import TrainingError
from rewardsmith.pipelines.train.run_folder import SURROUNDINGS


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)

    def task(self, label, total, unit):
        from rewardsmith.progress import SILENT

        return SILENT.task(label, total, unit)


def train_from(model, output, *, resume=False, **others):
    notes = Notes()
    config = train.Config(
        model=str(model), dataset=("synthetic:60",), output=output, threads=1, report=False, max_steps=2, resume=resume,
        **others,
    )  # fmt: skip
    train.run(config, notes)
    return notes.said


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that started from a model's folder, without a manifest that would notice a change before the run does."""
    place = tmp_path_factory.mktemp("made")
    tiny(seed=3).save(place / "start")
    (place / "start" / "manifest.json").unlink()
    train_from(place / "start", place / "run")
    return place


@pytest.fixture
def place(made, tmp_path, tmp_path_factory):
    """The run and its start where they were made, whose paths are among the settings; put back as they were afterwards."""
    kept = shutil.copytree(made, tmp_path / "kept")
    yield made
    assert tmp_path_factory.getbasetemp() in made.parents
    shutil.rmtree(made)
    shutil.copytree(kept, made)


def test_versions_machine_and_commit_are_recorded(made):
    import platform
    from importlib.metadata import version

    import torch

    stored = json.loads((made / "run" / "settings.json").read_text())
    assert stored["torch"] == version("torch")
    assert stored["transformers"] == version("transformers")
    assert stored["tokenizers"] == version("tokenizers")
    assert stored["python"] == platform.python_version()
    assert stored["cpu"] == torch.backends.cpu.get_cpu_capability()
    assert len(stored["tokenizer"]) == len(stored["start_weights"]) == 16
    assert {*VERSIONS, *SURROUNDINGS} <= stored.keys()


def test_the_same_run_goes_on_and_says_nothing_of_the_machine(place):
    said = train_from(place / "start", place / "run", resume=True)
    assert not any("begun" in line for line in said)


@pytest.mark.parametrize("name", VERSIONS)
def test_another_version_is_refused_with_both_named(place, name):
    path = place / "run" / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: "0.0.1"}))
    with pytest.raises(TrainingError, match=rf"cannot be resumed.* {name}: '0.0.1' → '{re.escape(versions()[name])}'"):
        train_from(place / "start", place / "run", resume=True)


def test_another_machine_or_commit_is_noted_and_the_run_goes_on(place):
    path = place / "run" / "settings.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "cpu": "NEON", "gpu": "Some GPU", "commit": "a" * 40}))
    said = train_from(place / "start", place / "run", resume=True)
    assert f"started on NEON and continued on {stored['cpu']}: results may differ by rounding" in said
    assert f"started on Some GPU and continued on {stored['gpu']}: results may differ by rounding" in said
    assert f"started with the code of commit {'a' * 40} and continued with {stored['commit']}" in said


def test_a_start_model_whose_tokenizer_was_changed_since_is_refused(place):
    """Its stored contract does not tell: that is what the model was saved with."""
    path = place / "start" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["~"], vocabulary["^"] = vocabulary["^"], vocabulary["~"]
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(
        TrainingError, match=r"cannot be resumed because its settings or data changed: tokenizer: '\w{16}' → '\w{16}'$"
    ):
        train_from(place / "start", place / "run", resume=True)


def test_a_start_model_whose_weights_were_changed_since_is_refused(place):
    path = place / "start" / "model.safetensors"
    weights = load_file(path)
    weights["score.weight"][0, 0] += 1e-3
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(
        TrainingError, match=r"cannot be resumed because its settings or data changed: start_weights: '\w{16}' → "
    ):
        train_from(place / "start", place / "run", resume=True)


def test_the_weights_that_a_seed_draws_count_as_well(tmp_path, monkeypatch):
    from rewardsmith.model.loading import backbones

    train_from("tiny", tmp_path / "run", n_embd=16, n_layer=1)
    drawn = backbones.tiny_model

    def otherwise(*arguments, **named):
        model = drawn(*arguments, **named)
        model.score.weight.data.mul_(2)
        return model

    monkeypatch.setattr(backbones, "tiny_model", otherwise)
    with pytest.raises(TrainingError, match=r"cannot be resumed because its settings or data changed: start_weights: "):
        train_from("tiny", tmp_path / "run", n_embd=16, n_layer=1, resume=True)


@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_is_read_from_a_checkout_and_a_work_tree_beside_it(tmp_path, packed):
    root = tmp_path / "project"
    (root / "src" / "rewardsmith").mkdir(parents=True)
    assert code_commit(root) is None
    git = root / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    if packed:
        (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{'b' * 40} refs/heads/main\n")
    else:
        (git / "refs" / "heads" / "main").write_text("b" * 40 + "\n")
    assert code_commit(root) == "b" * 40
    (git / "worktrees" / "side").mkdir(parents=True)
    (git / "worktrees" / "side" / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "worktrees" / "side" / "commondir").write_text("../..\n")
    side = tmp_path / "side"
    (side / "src" / "rewardsmith").mkdir(parents=True)
    (side / ".git").write_text(f"gitdir: {git / 'worktrees' / 'side'}\n")
    assert code_commit(side) == "b" * 40
    (git / "HEAD").write_text("c" * 40 + "\n")
    assert code_commit(root) == "c" * 40


def test_a_repository_around_an_installed_package_is_not_its_own(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("c" * 40)
    assert code_commit(tmp_path) is None
