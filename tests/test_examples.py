"""The scripts in examples/ run as they stand, and do what their first lines say."""

import json
import re
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import rewardsmith as rs
from builders import tiny
from sandbox_here import sandbox

__all__ = ["sandbox"]
EXAMPLES = Path(__file__).parents[1] / "examples"
PROMPT = "What is 2 + 2?"
TEXTS = ["2 + 2 = 4.", "That is 2 2.", "I do not know."]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A saved model, as a path."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    tiny().save(folder)
    return str(folder)


def start(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_every_example_is_short_and_has_a_test():
    here = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 60
        assert f'"{path.name}"' in here


def test_train_and_score_trains_and_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    start("train_and_score.py", monkeypatch)
    printed = capsys.readouterr().out
    assert "rows 300: kept 300" in printed
    assert re.search(r"^accuracy +(0\.9|1)", printed, flags=re.MULTILINE)
    (run,) = tmp_path.glob("*/run")
    conversation = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": TEXTS[0]}]
    reward = float(re.search(r"^reward: (.*)$", printed, flags=re.MULTILINE)[1])
    assert rs.RewardModel.load(run).score([conversation])[0] == pytest.approx(reward, abs=1e-5)


def test_best_of_n_keeps_the_best_and_the_worst_and_names_what_it_leaves_out(model, tmp_path, monkeypatch, capsys):
    candidates, pairs = tmp_path / "candidates.jsonl", tmp_path / "pairs.jsonl"
    rows = [{"prompt": PROMPT, "responses": texts} for texts in (TEXTS, TEXTS[:1], [])]
    candidates.write_text("".join(json.dumps(row) + "\n" for row in rows))
    start("best_of_n.py", monkeypatch, model, candidates, pairs)
    (row,) = [json.loads(line) for line in pairs.read_text().splitlines()]
    ranked = rs.RewardModel.load(model).rank(PROMPT, TEXTS)
    assert row["prompt"] == [{"role": "user", "content": PROMPT}]
    assert row["chosen"] == [{"role": "assistant", "content": TEXTS[ranked[0][0]]}]
    assert row["rejected"] == [{"role": "assistant", "content": TEXTS[ranked[-1][0]]}]
    assert row["score_chosen"] == pytest.approx(ranked[0][1], abs=1e-6)
    printed = capsys.readouterr()
    assert "1 pairs written" in printed.out
    assert "1 prompts left out" in printed.out
    assert "candidates.jsonl:3" in printed.err
    assert rs.load(str(pairs)).records[0].comparisons  # and it is a file of pairs again


def test_the_reward_function_for_grpo_gives_the_rewards_of_the_model(model, monkeypatch, capsys):
    start("grpo_reward.py", monkeypatch, model)
    shown = json.loads(capsys.readouterr().out)
    reward = runpy.run_path(str(EXAMPLES / "grpo_reward.py"))["trl_reward"](model)
    user = [{"role": "user", "content": PROMPT}]
    answers = [[{"role": "assistant", "content": text}] for text in TEXTS]
    expected = rs.RewardModel.load(model).score([user + answer for answer in answers])
    # GRPOTrainer passes these names, and every other column of its data set
    found = reward(prompts=[user] * 3, completions=answers, completion_ids=[[1], [2], [3]], topic=["sums"] * 3)
    assert found == pytest.approx(expected.tolist(), abs=1e-6)
    assert all(isinstance(value, float) for value in found)
    assert reward(prompts=[PROMPT] * 3, completions=TEXTS) == pytest.approx(found, abs=1e-6)
    assert shown == pytest.approx(found[:2], abs=1e-6)
    assert np.ptp(found) > 0


@pytest.mark.parametrize("name", ["best_of_n.py", "grpo_reward.py"])
def test_an_example_without_its_arguments_says_how_it_is_called(name, monkeypatch):
    with pytest.raises(SystemExit, match=rf"python examples/{name} MODEL"):
        start(name, monkeypatch)


def test_code_reward_rewards_what_passes_and_no_forgery(sandbox, monkeypatch, capsys):
    start("code_reward.py", monkeypatch)
    assert capsys.readouterr().out.splitlines() == [
        "right: 1.00",
        "half right: 0.67",
        "leaves: 0.00",
        "equals everything: 0.00",
    ]
