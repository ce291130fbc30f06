"""The settings file that `rewardsmith config` prints: every option once, and taken back as the defaults."""

import json
import re

import pytest

from rewardsmith import cli
from rewardsmith.arguments import resolve
from rewardsmith.language import LANGUAGES, display_width, say, speaking
from rewardsmith.manual import GUIDES
from rewardsmith.manual.help import kind_of
from rewardsmith.manual.template import template
from rewardsmith.settings import build, read_yaml, settings_of
from rewardsmith.settings.fields import REQUIRED
from rewardsmith.settings.values import element

VALUES = {"command": "train", "shell": "bash", "output": "out", "name": "org/name"}

MORE = {"evaluate": {"sources": ("data",)}, "merge": {"members": ("tiny", "tiny")}}
"""What no single setting can say: evaluate needs data or a benchmark, merge two models."""


def given(name):
    """A value for each setting of a command that has no default."""
    settings = [setting for setting in settings_of(kind_of(cli.COMMANDS[name])) if setting.default is REQUIRED]
    words = {setting.key: VALUES.get(setting.key, "tiny") for setting in settings}
    found = {
        setting.key: (words[setting.key],) if element(setting.hint) else words[setting.key] for setting in settings
    }
    return found | MORE.get(name, {})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_the_file_as_printed_means_the_defaults(name, language, tmp_path):
    kind = kind_of(cli.COMMANDS[name])
    path = tmp_path / "my.yaml"
    with speaking(language):
        path.write_text(template(name), encoding="utf-8")
    read = read_yaml(path, kind)
    assert build(kind, {**read, **given(name)}) == build(kind, given(name))
    defaults = {each.key for each in settings_of(kind) if each.default not in (REQUIRED, None, (), "")}
    assert read.keys() == defaults


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_option_stands_there_once_with_its_help(name):
    text = template(name)
    comments = " ".join(line.strip().removeprefix("# ") for line in text.splitlines())
    for setting in settings_of(kind_of(cli.COMMANDS[name])):
        keys = (f"{'  ' * (len(setting.path) - 1)}(?:# )?{setting.path[-1]}", f"(?:# )?{'_'.join(setting.path)}")
        found = [re.findall(f"^{key}: ", text, flags=re.MULTILINE) for key in dict.fromkeys(keys)]
        assert sum(map(len, found)) == 1, setting.key
        assert " ".join(setting.help.split()) in comments
    assert max(map(display_width, text.splitlines())) <= 104


def test_train_takes_the_printed_file_and_a_line_that_is_filled_in(tmp_path, capsys):
    assert cli.main(["config", "train"]) == 0
    printed = capsys.readouterr().out
    path = tmp_path / "my.yaml"
    kind = kind_of(cli.COMMANDS["train"])
    words = ["--model", "tiny", "--dataset", "a.jsonl", "-o", "out"]
    path.write_text(printed)
    assert resolve("train", cli.COMMANDS["train"], kind, [*words, "--config", str(path)]) == resolve(
        "train", cli.COMMANDS["train"], kind, words
    )
    filled = printed.replace("  # r: INT", "  r: 16").replace("# track: [TEXT...]", "track: [wandb]")
    path.write_text(filled)
    config = resolve("train", cli.COMMANDS["train"], kind, [*words, "--config", str(path)])
    assert (config.lora.r, config.track) == (16, ("wandb",))


def test_groups_are_those_of_the_help_in_the_language_spoken():
    with speaking("zh"):
        text = template("train")
        titles = [say(title) for title in GUIDES["train"].groups]
        assert [line for line in text.splitlines() if line.startswith("# ----")][:-1] == [
            f"# ---- {t} ----" for t in titles
        ]


def test_as_json_and_for_a_command_that_does_not_exist(capsys):
    assert cli.main(["config", "score", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"command": "score", "template": template("score")}
    assert cli.main(["config", "trian"]) == 2
    assert "Did you mean 'train'?" in capsys.readouterr().err
