"""Recipes: every one runs on `tiny`, says what its document says, and is found by its name; adapters through the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rewardsmith as rs
from rewardsmith.cli import main
from rewardsmith.commands import train
from rewardsmith.errors import UsageError
from rewardsmith.settings import build, read_yaml

FOLDER = Path(rs.__file__).parent / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
QUICK = ["--model", "tiny", "--dataset", "synthetic:60", "--n-embd", "16", "--n-head", "2", "--threads", "1"]
QUICK += ["--device", "cpu", "--max-steps", "2", "--no-report", "--json"]


def read(name):
    given = {"model": "tiny", "dataset": ("x",), "output": Path("y")}
    return build(train.Config, given | read_yaml(FOLDER / f"{name}.yaml", train.Config))


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_runs_for_a_few_steps_on_tiny(path, tmp_path, capsys):
    arguments = ["train", "--config", path.stem, *QUICK, "--output", str(tmp_path / "run"), "--n-layer", "1"]
    arguments += ["--freeze-layers", "0", "--evals", "1"]
    recipe, run = read(path.stem), tmp_path / "run"
    if recipe.members.count > 1:
        arguments += ["--members", "2"]
        run = run / "members" / "02"
    if recipe.loss.name == "margin":  # which the built-in data do not have
        rows = [{"prompt": f"q{n}", "chosen": f"yes {n}", "rejected": f"no {n}", "margin": n % 4} for n in range(60)]
        (tmp_path / "margins.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        arguments[arguments.index("synthetic:60")] = str(tmp_path / "margins.jsonl")
    if recipe.head.name == "helpful-cost":  # safety, which the built-in data do not judge
        row = {
            "response_0": "Turn the key.",
            "response_1": "Break it.",
            "better_response_id": 1,
            "safer_response_id": 0,
        }
        safe = {"is_response_0_safe": True, "is_response_1_safe": False}
        rows = [{"prompt": f"How do I open box {n}?", **row, **safe} for n in range(60)]
        (tmp_path / "safety.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        arguments[arguments.index("synthetic:60")] = str(tmp_path / "safety.jsonl")
    if recipe.head.name == "gated":  # ratings, which the built-in data do not have
        rows = [
            {
                "prompt": [{"role": "user", "content": f"q{n}"}],
                "responses": [{"messages": [{"role": "assistant", "content": text}]} for text in ("yes", "no, never")],
                "comparisons": [{"i": n % 2, "j": 1 - n % 2}],
                "ratings": {"verbosity": [1.0, 2.0 + n % 3], "helpfulness": [float(n % 5), 2.0]},
            }
            for n in range(60)
        ]
        (tmp_path / "rated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        arguments[arguments.index("synthetic:60")] = str(tmp_path / "rated.jsonl")
        arguments += ["--head.gate-steps", "5"]
    if recipe.head.name == "process":
        arguments[arguments.index("synthetic:60")] = "synthetic-steps:60"
    if recipe.head.name == "cloud":  # which needs critiques, and would write long ones
        arguments[arguments.index("synthetic:60")] = "synthetic:60+critiques"
        arguments += ["--critique.tokens", "4"]
    if (recipe.max_length or 0) > 2048:  # which the tiny model cannot read
        arguments += ["--max-length", "2048"]
    assert main(arguments) == 0, capsys.readouterr().err
    summary = json.loads((run / "train.json").read_text())
    assert 1 <= summary["steps"] <= 2
    assert (run / "model" / "adapter").is_dir() == (recipe.lora.r is not None)
    assert summary["lr"] == (recipe.lr or (2e-4 if recipe.lora.r else 2e-3))


def test_the_seeds_recipes_hold_the_seeds_values():
    three = read("seed-003")
    assert (three.model, three.dataset) == ("Qwen/Qwen3-0.6B", ("lvwerra/stack-exchange-paired",))
    assert (three.lr, three.epochs, three.batch, three.max_length, three.frac) == (5e-6, 1, 2, 512, 0.01)
    assert three.output == Path("outputs/reward_model")
    one = read("seed-001")
    assert (one.n_layer, one.n_head, one.n_embd, one.batch, one.max_steps, one.lr) == (2, 2, 64, 4, 20, 1e-4)
    assert (read("seed-000").lora.r, read("seed-000").lora.alpha, read("seed-000").lr) == (32, 64, 1e-4)
    assert (read("seed-000-helpful").lora, read("seed-000-safety").lora) == (train.Lora(r=16, alpha=32),) * 2


def test_published_recipes_hold_the_published_values():
    """From the papers and model cards that each file names."""
    kwise, margin = read("instructgpt-kwise"), read("llama2-margin")
    assert (kwise.lr, kwise.batch, kwise.epochs, kwise.merge_prompts) == (9e-6, 64, 1, True)
    assert (margin.lr, margin.batch, margin.epochs, margin.warmup, margin.weight_decay) == (1e-5, 512, 1, 0.03, 0.1)
    assert margin.loss.name == "margin"
    skywork, odin = read("skywork-v2-bt"), read("odin")
    assert (skywork.lr, skywork.batch, skywork.epochs, skywork.max_length) == (3e-6, 256, 1, 16384)
    assert (odin.lr, odin.epochs, odin.head.name, odin.loss.name) == (2e-5, 3, "odin", "odin")
    assert odin.loss.options == {"length_weight": 1.0, "orthogonal_weight": 1.0}
    for name, lr, batch in (("rlhflow-bt", 5e-6, 512), ("openrlhf-llama3", 9e-6, 256)):
        assert (read(name).lr, read(name).batch, read(name).epochs, read(name).warmup) == (lr, batch, 1, 0.03)


def test_seed_001_runs_as_it_stands(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "--config", "seed-001", "-o", str(run), "--threads", "1", "--no-report", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["records"], summary["steps"]) == (20, 20)
    assert summary["train_loss"] == pytest.approx(0.69, abs=0.15)


def test_an_unknown_recipe_lists_those_there_are(capsys):
    assert main(["train", "--config", "seed-3", "-o", "x"]) == 2
    message = capsys.readouterr().err
    assert "neither a local file nor a recipe (a settings file that comes with rewardsmith); recipes: " in message
    assert all(path.stem in message for path in RECIPES)
    assert main(["evaluate", "--config", "seed-003", "x"]) == 2
    assert "cannot read the settings file seed-003" in capsys.readouterr().err


def test_a_file_of_that_name_wins_over_the_recipe(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed-003").write_text("nonsense: 1\n")
    assert main(["train", "--config", "seed-003"]) == 2
    assert "seed-003:1: unknown key 'nonsense'" in capsys.readouterr().err


def test_adapter_settings_come_as_flags_as_yaml_and_from_python(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("lora: {r: 8, alpha: 16}\n")
    assert read_yaml(file, train.Config) == {"lora.r": 8, "lora.alpha": 16}
    assert train.Config(model="tiny", dataset=("x",), output=tmp_path).lora == train.Lora()
    for wrong, said in [
        ({"alpha": 4}, "need a rank; add --lora.r"),
        ({"r": 0}, "--lora.r 0: expected at least 1"),
        ({"r": 2, "dropout": 1.0}, "not 1 itself"),
    ]:
        with pytest.raises(UsageError, match=said):
            train.Lora(**wrong)
    with pytest.raises(UsageError, match=r"add a trainable adapter: --lora\.r 16"):
        train.Config(model="tiny", dataset=("x",), output=tmp_path, quantize="4bit")
    with pytest.raises(UsageError, match=r"so --lora\.r has no layers to adapt"):
        train.Config(model="tiny", dataset=("x",), output=tmp_path, freeze_layers=-1, lora=train.Lora(r=2))


@pytest.fixture(scope="module")
def lora_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora") / "run"
    result = rs.train("tiny", "synthetic:120", folder, lora={"r": 2}, threads=1, lr=1e-2, gradient_checkpointing=True)
    return folder, result


def test_an_adapter_run_reports_what_learned_and_its_memory(lora_run):
    folder, result = lora_run
    linears = 2 * (4 * (64 + 64) + 2 * (64 + 128) + (128 + 64))
    assert result.summary["trainable_parameters"] == 2 * linears + 64
    assert result.summary["parameters"] > result.summary["trainable_parameters"]
    text = result.to_text()
    assert f"trained {2 * linears + 64:,} of {result.summary['parameters']:,} parameters; peak memory of the " in text
    assert 50e6 < result.summary["peak_process_bytes"] < 50e9
    report = json.loads((folder / "report.json").read_text())
    assert report["training"]["peak_process_bytes"] == result.summary["peak_process_bytes"]
    for name in ("report.html", "report.md"):
        assert "Peak memory (process, CPU)" in (folder / name).read_text()
    assert main(["diagnose", str(folder), "--lang", "zh", "--overwrite", "--json"]) == 0
    assert "峰值内存（进程，CPU）" in (folder / "report.html").read_text()


def test_training_goes_on_from_the_merged_model(lora_run, tmp_path):
    folder, _ = lora_run
    rs.train(
        str(folder), "synthetic:120", tmp_path / "next", lora={"r": 2}, threads=1, max_steps=1, lr=1e-9, report=False
    )
    conversations = [
        [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}] for n in range(4)
    ]
    rewards = [rs.RewardModel.load(path).score(conversations) for path in (folder, tmp_path / "next")]
    np.testing.assert_allclose(rewards[0], rewards[1], atol=1e-4)


def test_a_run_resumes_only_with_its_own_adapter_settings(tmp_path, capsys):
    base = ["train", *QUICK, "--output", str(tmp_path / "run"), "--lora.r", "2"]
    assert main(base) == 0
    capsys.readouterr()
    assert main([*base, "--resume"]) == 0
    assert json.loads(capsys.readouterr().out)["resumed_from"] == 2
    assert main([*base, "--resume", "--lora-alpha", "16"]) == 1
    assert "cannot be resumed because its settings or data changed: lora: " in capsys.readouterr().err


def test_the_recipes_folder_at_the_root_is_the_packages_own():
    root = Path(__file__).parents[2]
    assert (root / "recipes").resolve() == FOLDER.resolve()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "rewardsmith", "train", "--config", "recipes/seed-003.yaml", "--max-steps", "oops"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--max-steps: got 'oops'" in done.stderr
