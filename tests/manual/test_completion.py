"""What the shells complete: real bash runs the script, and fish where it is installed."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import time

import pytest

from rewardsmith import cli
from rewardsmith.language import LANGUAGES, speaking
from rewardsmith.manual import completion
from rewardsmith.manual.completion import Config, completed, run
from rewardsmith.manual.help import kind_of
from rewardsmith.quality.row import checks
from rewardsmith.settings import settings_of

ASKED = {
    "rewardsmith tra": {"train"},
    "rewardsmith ": {*cli.COMMANDS, "--help", "--version", "--lang"},
    "rewardsmith train --dty": {"--dtype"},
    "rewardsmith train --dtype ": {"auto", "fp32", "bf16", "fp16"},
    "rewardsmith train --dtype = b": {"bf16"},
    "rewardsmith train --dtype =": {"auto", "fp32", "bf16", "fp16"},
    "rewardsmith train --dtype bf16 --no-": {"--no-report"},
    "rewardsmith train --track wandb ml": {"mlflow"},
    "rewardsmith train --track wandb --resu": {"--resume"},
    "rewardsmith train --resume --model ti": {"tiny"},
    "rewardsmith train --lr 1 --lora.": {"--lora.r", "--lora.alpha", "--lora.target", "--lora.dropout"},
    "rewardsmith --lang zh tra": {"train"},
    "rewardsmith train --lang ": {"en", "zh"},
    "rewardsmith config ev": {"evaluate"},
    "rewardsmith models ": {"list", "get"},
    "rewardsmith models get mini": {"minilm-l6"},
    "rewardsmith completion ": {"bash", "zsh", "fish"},
    "rewardsmith evaluate run da": set(),  # left to the shell: files
    "rewardsmith train --dataset da": set(),
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(run(Config(shell=shell)).to_text(), encoding="utf-8")
    return folder


def test_bash_completes_commands_options_and_values(scripts):
    lines = [f"source {shlex.quote(str(scripts / 'bash'))}"]
    for asked in ASKED:
        words = asked.split(" ")
        lines += [
            f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _rewardsmith",
            'echo "${COMPREPLY[*]}"',
        ]
    done = subprocess.run(["bash", "-euc", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found = [set(line.split()) for line in done.stdout.splitlines()]
    assert dict(zip(ASKED, found, strict=True)) == ASKED


def test_a_person_at_bash_gets_words_and_names_of_files(scripts, tmp_path):
    (tmp_path / "my pairs.jsonl").touch()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {**os.environ, "TERM": "dumb", "PS1": "$ "})
    try:
        os.write(terminal, f"source {shlex.quote(str(scripts / 'bash'))}\n".encode())
        os.write(terminal, b"rewardsmith train --dtype b\t")
        assert seen(terminal, "--dtype bf16 ")
        os.write(terminal, b"--dataset m\t")
        assert seen(terminal, "--dataset my\\ pairs.jsonl")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def seen(terminal, text):
    """Whether a text appears on the terminal within ten seconds."""
    shown, end = "", time.monotonic() + 10
    while time.monotonic() < end and text not in shown:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return text in shown


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_the_same(scripts):
    for asked, expected in ASKED.items():
        if expected and " = " not in asked and not asked.endswith("=") and "--lang zh tra" not in asked:
            code = f"source {shlex.quote(str(scripts / 'fish'))}; complete -C {shlex.quote(asked)}"
            done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, check=True)
            found = {line.split("\t")[0] for line in done.stdout.splitlines()}
            assert expected - {"--help", "--version", "--lang"} <= found, asked


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_that_is_here_can_read_its_script(shell, scripts):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(scripts / shell)], check=True)


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_option_is_known_and_every_choice_is_one(name):
    known = {option.flag: option for option in completed(name).options}
    for setting in settings_of(kind_of(cli.COMMANDS[name])):
        if setting.key not in cli.COMMANDS[name].positional:
            assert known.pop(setting.flag).is_switch == (setting.usage == setting.flag)
    assert known == {}


def test_words_that_are_looked_up_elsewhere_are_there():
    words = {option.flag: option.words.split() for option in completed("prepare").options}
    assert set(checks.REMOVABLE) < set(words["--remove"])
    words = {option.flag: option.words.split() for option in completed("train").options}
    assert "tiny" in words["--model"]
    assert "wandb" in words["--track"]


def test_what_fish_shows_is_in_the_language_spoken():
    for language in LANGUAGES:
        with speaking(language):
            script = run(Config(shell="fish")).script
        assert ("'准确率、校准和基线，均带置信区间'" in script) == (language == "zh")


def test_a_quote_in_a_help_ends_no_quotation():
    assert completion.quoted("it's a \\ b") == "'it\\'s a \\\\ b'"
