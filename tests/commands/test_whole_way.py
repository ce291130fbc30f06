"""File → train → evaluate → diagnose → score → compare, through the commands, on the built-in data and `tiny`."""

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import orjson
import pytest

import forked
import rewardsmith as rs
from rewardsmith.cli import main
from rewardsmith.commands import compare, demo, evaluate, inspect, score, train

SMALL = ["--model", "tiny", "--n-embd", "16", "--n-layer", "1", "--max-length", "256", "--threads", "1"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    config = train.Config(
        model="tiny", dataset=("synthetic:300",), output=folder, n_embd=32, epochs=1, evals=2, threads=1
    )  # fmt: skip
    return folder, train.run(config)


def test_training_leaves_everything_a_run_folder_has(run_folder):
    folder, result = run_folder
    names = {path.name for path in folder.iterdir()}
    assert {
        "config.yaml", "settings.json", "metrics.jsonl", "train.json", "evaluation.json", "comparisons.jsonl", "model",
        "checkpoints", "data", "report.html", "report.md", "report.json",
    } <= names  # fmt: skip
    keys = {"output", "steps", "pairs", "train_loss", "eval", "pairs_per_second", "tokens_per_second"}
    assert keys <= result.to_json().keys()
    assert result.to_json() == json.loads((folder / "train.json").read_text())
    assert result.summary["eval"]["split"] == "test"


def test_evaluation_repeats_what_training_reported(run_folder):
    folder, result = run_folder
    again = evaluate.run(evaluate.Config(model=str(folder), sources=("synthetic:300",), split="test")).to_json()
    for key in ("n", "accuracy", "auc", "nll", "ece"):
        assert again[key] == pytest.approx(result.summary["eval"][key], abs=1e-6), key
    needed = {
        "n", "label_ties", "accuracy", "accuracy_ci", "tie_rate", "auc", "nll", "brier", "ece", "ece_calibrated",
        "kendall_tau", "baselines", "by_category",
    }  # fmt: skip
    assert needed <= again.keys()
    assert {"longer", "tfidf", "constant"} <= again["baselines"].keys()


def test_a_file_scores_as_the_python_interface_does(run_folder, tmp_path):
    folder, _ = run_folder
    rows = [
        {"prompt": "Name a fruit.", "chosen": "A pear.", "rejected": "A stone.", "note": "kept"},
        {"prompt": "天空为什么是蓝色的？", "chosen": "因为散射。", "rejected": "不知道。"},
        {"prompt": "broken"},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    config = score.Config(model=str(folder), source=str(source), output=tmp_path / "out.jsonl", best_of=True)
    result = score.run(config)
    assert (result.rows, result.responses, result.not_scored) == (3, 4, 1)
    out = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    model = rs.RewardModel.load(folder)
    for given, row in zip(rows[:2], out[:2], strict=True):
        assert {key: row[key] for key in given} == given
        conversations = [
            [{"role": "user", "content": given["prompt"]}, {"role": "assistant", "content": given[name]}]
            for name in ("chosen", "rejected")
        ]
        np.testing.assert_allclose(row["rewards"], model.score(conversations), atol=1e-5)
        assert row["best"] == int(np.argmax(row["rewards"]))
    assert "in.jsonl:3" in out[2]["error"]


def test_compute_reward_is_the_same_reward(run_folder):
    from rewardsmith.model.loading.tiny import byte_tokenizer

    model = rs.load_reward_model(run_folder[0])
    tokenizer = byte_tokenizer()
    ids = tokenizer("A pear.", add_special_tokens=False)["input_ids"]
    reward = rs.compute_reward(model, tokenizer, "Name a fruit.", [*ids, tokenizer.eos_token_id], "cpu")
    turns = [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "A pear."}]
    assert reward == pytest.approx(model.score([turns])[0], abs=1e-6)


def test_a_model_compared_with_itself_differs_nowhere(run_folder):
    folder, _ = run_folder
    figures = compare.run(compare.Config(a=folder, b=folder)).to_json()
    assert (figures["accuracy_difference"], figures["flipped"]) == (0.0, 0)
    assert {"accuracy_difference", "ci", "p_value", "flipped"} <= figures.keys()


def test_inspect_shows_prefix_pooled_token_and_reward(run_folder):
    shown = inspect.run(inspect.Config(source="synthetic:3", model=str(run_folder[0]), row=2))
    text = shown.to_text()
    assert "⟦<|im_start|>user" in text
    assert r"▶\n◀" in text
    model = rs.RewardModel.load(run_folder[0])
    expected = next(model.score_records([rs.load("synthetic:3").records[1]]))
    np.testing.assert_allclose([response.reward for response in shown.responses], expected, atol=1e-6)


def test_training_goes_on_from_a_reward_model_head_included(run_folder, tmp_path):
    folder, _ = run_folder
    config = train.Config(
        model=str(folder), dataset=("synthetic:60",), output=tmp_path / "more", lr=1e-12, report=False, threads=1
    )
    train.run(config)
    turns = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]]
    before, after = (rs.RewardModel.load(path).score(turns)[0] for path in (folder, tmp_path / "more"))
    assert after == pytest.approx(before, abs=1e-5)


def test_the_demo_tells_the_whole_story_when_it_is_small(tmp_path):
    result = demo.run(demo.Config(output=tmp_path / "demo", prompts=120))
    assert (tmp_path / "demo" / "run" / "report.html").is_file()
    assert result.stages["prepare"]["removed"] >= 1
    assert "Next action" in result.to_text()
    assert 0.85 < result.stages["ceiling"] < 1


def hash_of(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_kill_9_then_resume_ends_with_the_same_bits(tmp_path):
    arguments = [
        "train", *SMALL, "--dataset", "synthetic:200", "--batch", "4", "--evals", "20", "--epochs", "2", "--no-report",
    ]  # fmt: skip
    assert main([*arguments, "--output", str(tmp_path / "whole")]) == 0
    words = [*arguments, "--output", str(tmp_path / "killed")]
    for attempt in range(2):
        process = forked.command([*words, *(["--resume"] if attempt else [])], tmp_path / "log")
        wanted = 2 + 2 * attempt
        deadline = time.time() + 120
        while len(list((tmp_path / "killed").glob("checkpoints/step-*"))) == 0 or newest(tmp_path / "killed") < wanted:
            assert process.poll() is None or attempt, "training ended before it could be killed"
            if process.poll() is not None or time.time() > deadline:
                break
            time.sleep(0.02)
        process.kill()
    assert not (tmp_path / "killed" / "model").exists()
    assert main([*arguments, "--output", str(tmp_path / "killed"), "--resume"]) == 0
    assert hash_of(tmp_path / "killed") == hash_of(tmp_path / "whole")


def newest(folder: Path) -> int:
    return max(int(path.name[5:]) for path in folder.glob("checkpoints/step-*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dataset", "missing.jsonl"], 1, "missing.jsonl"),
        (["--dataset", "empty.jsonl"], 1, "empty"),
        (["--dataset", "ties.jsonl"], 1, "ties"),
        (["--dataset", "single.jsonl"], 1, "no comparisons"),
        (["--dataset", "synthetic:nine"], 2, "synthetic:N"),
        (["--dataset", "synthetic:60", "--model", "nonsense"], 2, "unknown model 'nonsense'"),
        (["--dataset", "synthetic:60", "--max-length", "16"], 1, "max_length 16 is too small"),
        (["--dataset", "synthetic:60", "--max-length", "99999"], 2, "supports at most"),
        (["--dataset", "synthetic:60", "--lrr", "1e-4"], 2, "--lr"),
        (["--dataset", "synthetic:60", "--lr", "fast"], 2, "lr"),
        (["--dataset", "synthetic:60", "--epochs", "0"], 2, "at least 1"),
        (["--dataset", "synthetic:60", "--frac", "2"], 2, "frac"),
        (["--dataset", "synthetic:60", "--loss", "bradley"], 2, "bradley-terry"),
        (["--dataset", "synthetic:60", "--config", "typo.yaml"], 2, "Did you mean 'lr'"),
        (["--dataset", "synthetic:60", "--device", "cuda:7"], 1, "cuda:7"),
        (["--dataset", "synthetic:60", "--resume"], 1, "contains no run to resume"),
    ],
)
def test_a_wrong_input_ends_in_one_clear_line(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    tie = {"prompt": "q", "responses": ["a", "b"], "scores": [1, 1]}
    (tmp_path / "ties.jsonl").write_text("".join(json.dumps({**tie, "prompt": f"q{k}"}) + "\n" for k in range(40)))
    rows = "".join(json.dumps({"prompt": f"q{k}", "response": "a"}) + "\n" for k in range(40))
    (tmp_path / "single.jsonl").write_text(rows)
    (tmp_path / "typo.yaml").write_text("learning_rat: 1e-5\n")
    chosen = arguments if "--model" in arguments else ["--model", "tiny", *arguments]
    assert main(["train", *chosen, "--output", str(tmp_path / "run"), "--threads", "1"]) == code
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "run").exists()


def test_an_output_that_holds_something_is_not_touched(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["train", *SMALL, "--dataset", "synthetic:60", "--output", str(tmp_path)]) == 1
    assert "pass --overwrite" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_an_output_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["train", *SMALL, "--dataset", "synthetic:60", "--output", str(tmp_path / "file" / "run")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_json_prints_one_object_and_nothing_else(tmp_path, capsys):
    code = main(
        ["train", *SMALL, "--dataset", "synthetic:80", "--output", str(tmp_path / "run"), "--json", "--no-report"]
    )
    assert code == 0
    assert json.loads(capsys.readouterr().out)["steps"] > 0
