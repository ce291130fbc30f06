"""Every action that is a command can be typed: each is given to the parser of the command line."""

import ast
import re
import shlex
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from rewardsmith import arguments, cli
from rewardsmith.diagnose import commands, verdict
from rewardsmith.diagnose.facts import Facts
from rewardsmith.pipelines.train.config import Config
from rewardsmith.settings import to_yaml

RUN = Facts(
    place="runs/my first",
    model="runs/my first/model",
    settings={"dataset": ["a b.jsonl", "c.jsonl"], "epochs": 4, "max_length": 256},
    training={"lr": 0.002},
)
FLAGS = {
    ("train", *flags)
    for flags in (
        ("--lr", "0.0007", "--dtype", "fp32"),
        ("--lr", "0.002"),
        ("--epochs", "1", "--patience", "2"),
        ("--max-steps", "300"),
        ("--max-length", "512"),
        ("--head-start", "probe"),
        ("--freeze-layers", "0"),
        ("--weight-decay", "0.01"),
        ("--dropout", "0"),
        ("--warmup", "0.1"),
        ("--clip", "1"),
        ("--loss", "label-smoothing", "--loss.smoothing", "0.1"),
        ("--loss", "margin", "--loss.margin-scale", "0.017"),
    )
} | {
    ("prepare",),
    ("prepare", "--split-by", "near-prompt"),
    ("prepare", "--label-noise", "report"),
    ("prepare", "--remove", "contradiction"),
    ("evaluate",),
    ("evaluate", commands.HELD_OUT, "--dtype", "fp32"),
    ("calibrate", "VALIDATION_DATA", "--method", "isotonic"),
    ("resume",),
    ("inspect",),
    ("verify",),
    ("audit",),
    ("diagnose",),
    ("learning_curve", "--seeds", "5"),
    ("calibrate", "VALIDATION_DATA"),
}


@pytest.fixture
def run(tmp_path):
    """The facts of a run whose settings file is there."""
    folder = tmp_path / "my first"
    folder.mkdir()
    config = Config(model="tiny", dataset=("a b.jsonl",), output=folder)
    (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    return replace(RUN, place=str(folder), model=str(folder / "model"))


def parsed(line):
    """The settings of a command, as the command line reads and checks them."""
    program, name, *words = shlex.split(line)
    assert program == "rewardsmith"
    command = cli.COMMANDS[name]
    return name, arguments.resolve(name, command, import_module(command.module).Config, words)


@pytest.mark.parametrize("call", sorted(FLAGS))
def test_a_command_is_read_by_the_command_line(run, call):
    name, *flags = call
    for facts in [run] if name == "resume" else [run, Facts()]:
        read, config = parsed(getattr(commands, name)(facts, *flags))
        assert read == {"resume": "train", "learning_curve": "learning-curve"}.get(name, name)
        assert name != "resume" or config.resume


def test_names_with_spaces_stay_whole():
    assert "'runs/my first/model'" in commands.evaluate(RUN)
    assert shlex.split(commands.prepare(RUN))[2] == "a b.jsonl"


def test_an_evaluation_by_itself_sends_to_its_model():
    alone = Facts(place="results/test", model="models/other")
    assert commands.verify(alone) == "rewardsmith verify models/other"
    assert commands.audit(alone).split()[2:] == ["models/other", commands.HELD_OUT, "--output", "results/test-audit"]


def test_every_flag_of_a_check_is_tried_here():
    """The literal flags in the checks' calls, so that none is forgotten in FLAGS."""
    tried = {word for call in FLAGS for word in call if word.startswith("--")}
    found = set()
    parts = [Path(verdict.__file__).parent / name for name in ("checks", "labels")]
    for path in [path for part in parts for path in part.rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("commands."):
                found |= {
                    node.value
                    for node in ast.walk(call)
                    if isinstance(node, ast.Constant) and re.fullmatch("--[a-z.-]+", str(node.value))
                }
    assert found <= tried
    assert len(found) >= 8
