"""Whatever goes wrong with a tracker is one warning, and the run ends with the same bits; real libraries, really broken."""

import contextlib
import hashlib
import importlib.util
import json
import os
import random
import resource
import shutil
import signal
import socket
import time

import numpy as np
import orjson
import pytest
import torch

from rewardsmith import api, cli
from rewardsmith.commands import train
from rewardsmith.errors import MissingExtraError, UsageError
from rewardsmith.launch.installation import install_command
from rewardsmith.track import following
from rewardsmith.track.trackers import TRACKERS, Job, TrackerEntry

SETTINGS = {
    "model": "tiny",
    "dataset": ("synthetic:60x2",),
    "batch": 4,
    "n_embd": 16,
    "n_layer": 1,
    "evals": 3,
    "threads": 1,
}
INSTALLED = {
    name for name, entry in TRACKERS.items() if all(importlib.util.find_spec(module) for module in entry.modules)
}


class Notes:
    """A progress that keeps its notes, and calls `at_step` with the number of steps done in training."""

    def __init__(self, at_step=None):
        self.texts, self.at_step, self.step, self.label = [], at_step, 0, ""

    def note(self, text):
        self.texts.append(text)

    @contextlib.contextmanager
    def task(self, label, total, unit):
        self.label = label
        yield self

    def advance(self, amount=1, **figures):
        if self.label == "training" and amount:
            self.step += amount
            if self.at_step:
                self.at_step(self.step)

    def count(self, start):
        return sum(text.startswith(start) for text in self.texts)

    def wait_for(self, *starts):
        end = time.monotonic() + 60
        while not all(self.count(start) for start in starts) and time.monotonic() < end:
            time.sleep(0.02)


def weights(folder):
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def random_states():
    return (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())


def needs(*names):
    missing = set(names) - INSTALLED
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(sorted(missing))}")


@pytest.fixture(scope="module")
def untracked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untracked") / "run"
    train.run(train.Config(output=folder, report=False, **SETTINGS))
    return weights(folder)


@pytest.fixture
def silent_server():
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@needs(*TRACKERS)
def test_broken_and_hanging_trackers_give_one_warning_each_and_change_nothing(
    tmp_path, untracked, silent_server, monkeypatch
):
    monkeypatch.setattr(following, "FINISH_SECONDS", 6.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "600")
    output = tmp_path / "run"
    local = ("tensorboard", "wandb", "trackio", "swanlab")

    def break_everything(step):
        if step == 2:
            notes.wait_for(*(f"{name}: recording" for name in local))
            time.sleep(2.5)  # until all have written something, twice
            for name in local:
                shutil.rmtree(output / "track" / name)

    notes = Notes(break_everything)
    result = train.run(
        train.Config(output=output, report=False, track=tuple(TRACKERS), track_uri=silent_server, **SETTINGS), notes
    )
    assert weights(output) == untracked
    assert result.summary["steps"] == result.summary["total_steps"]
    warnings = [text for text in notes.texts if text.startswith("warning")]
    assert sorted(text.split()[1] for text in warnings) == sorted(TRACKERS), warnings
    (hung,) = [text for text in warnings if "mlflow" in text]
    assert "did not finish within 6 s" in hung
    deleted = ("was deleted or replaced", "FileNotFoundError")
    assert [text for text in warnings if text != hung and not any(cause in text for cause in deleted)] == []


@needs("tensorboard")
def test_a_full_disk_is_one_warning_and_a_resume_completes_the_record(tmp_path):
    """The limit on the size of files is the tracker's alone; writing beyond it fails as on a full disk."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    job = Job("tensorboard", tmp_path, "", "name", None)
    rows = [{"step": step, "epoch": step / 100, "loss": 1 / step} for step in range(1, 301)]
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    before, notes = random_states(), Notes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with following.following([job], notes):
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            notes.wait_for("warning")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (warning,) = [text for text in notes.texts if text.startswith("warning")]
    assert "File too large" in warning
    assert json.loads(job.state.read_bytes())["status"] == "broken"
    with following.following([job], Notes()):
        pass
    found = EventAccumulator(str(tmp_path / "track" / "tensorboard" / "name"), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in found.Scalars("train/loss")] == list(range(1, 301))
    assert random_states() == before


@needs("tensorboard")
def test_a_store_that_cannot_be_made_is_one_warning(tmp_path):
    job, notes = Job("tensorboard", tmp_path, "", "name", None), Notes()
    job.store.mkdir()
    (job.store / "tensorboard").write_text("in the way")
    with following.following([job], notes):
        pass
    assert [text.split()[:2] for text in notes.texts] == [["warning:", "tensorboard"]]


def test_a_store_in_whose_place_a_file_lies_does_not_stop_the_run(tmp_path):
    notes = Notes()
    (tmp_path / "track").write_text("in the way")
    with following.following([Job("tensorboard", tmp_path, "", "name", None)], notes):
        pass
    assert [text.split()[:2] for text in notes.texts] == [["warning:", "tensorboard"]]


@needs("tensorboard")
def test_ctrl_c_leaves_a_record_that_a_resume_goes_on_with(tmp_path, untracked):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    output = tmp_path / "run"

    def interrupt(step):
        if step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    settings = {**SETTINGS, "output": output, "report": False, "track": ("tensorboard",)}
    with pytest.raises(KeyboardInterrupt):
        train.run(train.Config(**settings), Notes(interrupt))
    state = json.loads((output / "track" / "tensorboard.json").read_bytes())
    assert state["status"] == "interrupted"
    notes = Notes()
    result = train.run(train.Config(resume=True, run_name="other", **settings), notes)
    assert result.summary["resumed_from"] == 6
    assert weights(output) == untracked
    assert "tensorboard: a resumed record keeps its original names: 'other' is still 'run'" in notes.texts
    found = EventAccumulator(str(output / "track" / "tensorboard" / "run"), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in found.Scalars("train/loss")] == list(range(1, result.summary["steps"] + 1))


def test_a_missing_package_is_told_before_anything_is_read_or_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(TRACKERS, "wandb", TrackerEntry("rewardsmith.track.wandb:Wandb", ("wandb_of_another_planet",)))
    words = ["train", "--model", "tiny", "--dataset", str(tmp_path / "none.jsonl"), "--output", str(tmp_path / "out")]
    assert cli.main([*words, "--track", "wandb"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "wandb_of_another_planet" in error
    assert install_command("wandb") in error
    assert not (tmp_path / "out").exists()
    with pytest.raises(MissingExtraError):
        api.train("tiny", "synthetic:60x2", tmp_path / "out", track="wandb")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"track": ("wandbb",)}, "--track wandbb: expected one of tensorboard, mlflow, wandb, trackio, swanlab"),
        ({"track": ("wandb", "wandb")}, "once"),
        ({"track_uri": "sqlite:///x.db", "track": ("wandb",)}, "only mlflow uses it"),
        ({"run_name": "x"}, "no tracker uses it"),
        ({"track_project": "x"}, "no tracker uses it"),
        ({"run_name": " ", "track": ("wandb",)}, "expected a name"),
    ],
)
def test_settings_that_no_tracker_would_read_are_refused(tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        train.Config(output=tmp_path, **SETTINGS, **settings)


def test_a_password_never_gets_into_the_settings(tmp_path):
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        train.Config(output=tmp_path, track=("mlflow",), track_uri="https://me:sesame@host/x", **SETTINGS)
    assert "sesame" not in str(caught.value)
