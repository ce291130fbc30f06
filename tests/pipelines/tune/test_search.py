"""Searches with real training on a tiny model: what they write, kills, failures, budgets, and that they can be repeated."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rewardsmith as rs
from rewardsmith.cli import main
from rewardsmith.errors import OutputError, TrainingError, UsageError
from rewardsmith.files.kinds import TUNING
from rewardsmith.pipelines.tune.trials import figures_at

SMALL = {"n_layer": 1, "n_embd": 16, "n_head": 2, "threads": 1, "evals": 2, "block_size": 128}
FLAGS = ["--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--threads", "1", "--evals", "2", "--block-size", "128"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file from which even the smallest model learns: the longer answer is better."""
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = [{"prompt": f"q{n}", "chosen": f"yes, certainly {n}", "rejected": f"no {n}"} for n in range(160)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A finished search over learning rates of which one diverges at once."""
    folder = tmp_path_factory.mktemp("made") / "search"
    result = rs.tune("tiny", data, folder, search=("lr=2e-3,1e-5,3e-2", "batch=8,16"), trials=4, keep_trials=1, **SMALL)
    return folder, result


def trials_of(folder):
    return json.loads((folder / "trials.json").read_text())["trials"]


def test_every_file_of_a_search_is_known_and_tells_the_same(made):
    folder, result = made
    assert list(TUNING.foreign(folder)) == []
    trials = trials_of(folder)
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert trials[0]["values"] == {"lr": 2e-3, "batch": 16}
    rows = list(csv.DictReader((folder / "trials.csv").open()))
    assert [row["lr"] for row in rows] == [f"{trial['values']['lr']:g}" for trial in trials]
    summary = json.loads((folder / "tune.json").read_text())
    assert summary == json.loads(json.dumps(result.to_json()))
    assert summary["finished"] is True
    done = [trial for trial in trials if trial["state"] == "complete"]
    assert summary["best"]["loss"] == min(trial["loss"] for trial in done)
    page = (folder / "report.html").read_text()
    assert all(f">{trial['number']}<" in page for trial in trials)


def test_a_trial_is_an_ordinary_run_that_did_not_see_the_test(made):
    folder, result = made
    best = result.summary["best"]["number"]
    for trial in trials_of(folder):
        place = folder / "trials" / f"{trial['number']:03d}"
        evaluated = trial["number"] in (best, 0)
        assert (place / "evaluation.json").is_file() == evaluated
        assert (place / "model").is_dir() == evaluated  # --keep-trials 1: the best, and the defaults
        if trial["state"] == "complete":
            figures = figures_at(place, trial["step"])
            assert (figures["eval_loss"], figures["eval_accuracy"]) == (trial["loss"], trial["accuracy"])


def test_the_best_settings_train_to_the_same_model(made, tmp_path, capsys):
    folder, result = made
    assert main(["train", "--config", str(folder / "best.yaml"), "-o", str(tmp_path / "again"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["best_validation_loss"] == result.summary["best"]["loss"]
    assert again["eval"]["accuracy"] == result.summary["test"]["accuracy"]


def test_the_result_says_that_the_best_is_selected_and_what_the_test_split_says(made):
    text = made[1].to_text()
    assert "these figures are optimistic" in text
    assert "test accuracy of the best settings" in text
    assert "rewardsmith train --config" in text
    chinese = rs.say(text, lang="zh")
    assert "偏乐观" in chinese


def test_a_finished_search_is_extended_and_not_started_again(made, data):
    folder, _ = made
    with pytest.raises(OutputError, match="not empty"):
        rs.tune("tiny", data, folder, search=("lr=2e-3,1e-5,3e-2", "batch=8,16"), trials=4, **SMALL)
    with pytest.raises(UsageError, match=r"cannot be resumed because its settings changed: .*batch"):
        rs.tune("tiny", data, folder, search=("lr=2e-3,1e-5,3e-2", "batch=8,4"), resume=True, **SMALL)
    with pytest.raises(UsageError, match="epochs: 1 → 2"):
        rs.tune("tiny", data, folder, search=("lr=2e-3,1e-5,3e-2", "batch=8,16"), epochs=2, resume=True, **SMALL)


def test_there_is_nothing_to_resume_in_an_empty_place(data, tmp_path):
    with pytest.raises(OutputError, match="no search to resume"):
        rs.tune("tiny", data, tmp_path / "none", resume=True, **SMALL)


def test_what_fails_in_every_trial_is_raised_as_it_is(data, tmp_path):
    with pytest.raises(TrainingError, match="has a margin"):
        rs.tune("tiny", data, tmp_path / "s", search=("batch=8,16",), loss="margin", trials=5, **SMALL)
    trials = trials_of(tmp_path / "s")
    assert all(trial["state"] == "failed" and "margin" in trial["reason"] for trial in trials)
    assert len(trials) == 3


def command(data, folder, *more):
    return [
        *(sys.executable, "-m", "rewardsmith", "tune", "--model", "tiny", "--dataset", str(data), "-o", str(folder)),
        *("--search", "lr=1e-3..1e-2:log", "--trials", "2", "--pruner", "none", "--json", *FLAGS, *more),
    ]


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(rs.__file__).parents[1])}


@pytest.mark.slow
def test_a_search_that_is_killed_continues_as_if_it_had_not_been(data, tmp_path):
    slow = ["--epochs", "4"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen(command(data, killed, *slow), env=environment(), stderr=subprocess.DEVNULL)
    metrics = killed / "trials" / "001" / "checkpoints"
    ends = time.monotonic() + 600
    while not (metrics.is_dir() and any(metrics.glob("step-*"))):
        assert time.monotonic() < ends
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [trial["state"] for trial in trials_of(killed)] == ["complete", "running"]
    done = subprocess.run(command(data, killed, *slow, "--resume"), env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    resumed = json.loads((killed / "trials" / "001" / "train.json").read_text())
    assert resumed["resumed_from"] is not None
    assert main(command(data, whole, *slow)[3:]) == 0
    figures = [[(t["values"], t["loss"], t["accuracy"], t["step"]) for t in trials_of(one)] for one in (killed, whole)]
    assert figures[0] == figures[1]
