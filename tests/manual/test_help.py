"""The help of every command: whole, in groups, within the screen's width, in both languages."""

import importlib
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith import cli, manual
from rewardsmith.arguments import resolve
from rewardsmith.language import LANGUAGES, display_width, say, speaking
from rewardsmith.manual import COMMON_OPTIONS, GUIDES, Screen, help_text, overview_of
from rewardsmith.manual.help import explained, metavar, option
from rewardsmith.settings import settings_of
from rewardsmith.settings.fields import REQUIRED

MANY = 12
"""Options from which a flat list is too long to read."""
ESCAPE = "\x1b["
COLUMNS = (60, 80, 120)


def kind_of(name):
    return importlib.import_module(cli.COMMANDS[name].module).Config


def options_of(name):
    return [setting for setting in settings_of(kind_of(name)) if setting.key not in cli.COMMANDS[name].positional]


def help_of(name, **screen):
    return help_text(name, cli.COMMANDS[name], kind_of(name), Screen(**screen))


def entries_of(text):
    """(left, right) of every row of a help, the lines of a wrapped explanation put together without white space."""
    found = []
    for line in text.splitlines():
        if re.match(r"  \S", line):
            left, _, right = line.strip().partition("  ")
            found.append([left, right])
        elif line.startswith("   "):
            found[-1][1] += line
    return [(left, "".join(right.split())) for left, right in found]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("columns", COLUMNS)
def test_every_setting_is_explained_once_whole_and_within_the_width(columns, language):
    with speaking(language):
        for name, command in cli.COMMANDS.items():
            text = help_of(name, columns=columns)
            assert max(map(display_width, text.splitlines())) <= columns, name
            expected = [(flag, say(words)) for flag, words in COMMON_OPTIONS]
            for setting in settings_of(kind_of(name)):
                left = metavar(setting) if setting.key in command.positional else option(setting)
                expected.append((left, explained(setting)))
            shown = entries_of(text)
            for left, right in expected:
                assert shown.count((left, "".join(right.split()))) == 1, (name, left)
            assert len(shown) == len(expected) + 2, name  # with the example and the page


@pytest.mark.parametrize("columns", COLUMNS)
def test_no_word_is_broken(columns):
    for name, command in cli.COMMANDS.items():
        texts = [explained(setting) for setting in settings_of(kind_of(name))]
        known = " ".join([*texts, command.summary, *(words for _, words in COMMON_OPTIONS)]).split()
        hanging = [line for line in help_of(name, columns=columns).splitlines() if line.startswith(" " * 6)]
        assert {word for line in hanging for word in line.split()} <= set(known), name


def test_the_help_is_no_narrower_than_it_has_to_be():
    text = help_of("train", columns=80)
    assert max(map(len, text.splitlines())) >= 78
    assert len(help_of("train", columns=120).splitlines()) < len(text.splitlines())


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_option_of_a_long_list_is_in_exactly_one_group(name):
    groups = GUIDES[name].groups
    keys = [setting.key for setting in options_of(name)]
    if groups or len(keys) + len(COMMON_OPTIONS) > MANY:
        assert sorted(key for members in groups.values() for key in members) == sorted(keys)


def test_train_has_the_groups_a_reader_looks_for():
    titles = ["Data", "Model", "Head", "Optimisation", "Memory and speed", "Run", "Tracking", "General"]
    lines = help_of("train").splitlines()
    places = [lines.index(f"{title}:") for title in titles]
    assert places == sorted(places)


def test_an_option_that_no_group_names_is_shown_all_the_same(monkeypatch):
    guide = GUIDES["compare"]
    grouped = manual.Guide(guide.example, guide.page, {"Data": ()})
    monkeypatch.setattr(manual.help, "GUIDES", {**GUIDES, "compare": grouped})
    assert [left for left, _ in entries_of(help_of("compare"))].count("--seed INT") == 1


def test_guides_are_of_the_commands_that_there_are():
    assert GUIDES.keys() == cli.COMMANDS.keys()


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_the_example_is_a_command_line_that_the_command_takes(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, *words = shlex.split(GUIDES[name].example)
    assert first == name
    for columns in (40, 60, 80):
        copied = help_of(name, columns=columns).split("Example:\n")[1].split("\n\n")[0]
        assert shlex.split(copied.replace("\\\n", "")) == ["rewardsmith", first, *words]
    config = resolve(name, cli.COMMANDS[name], kind_of(name), words)
    given = [setting for setting in settings_of(kind_of(name)) if setting.default is REQUIRED]
    assert all(getattr(config, setting.key) for setting in given)


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_the_page_is_there_and_speaks_of_the_command(name):
    path = Path(__file__).parents[2] / GUIDES[name].page
    assert re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
    assert f"  {GUIDES[name].page}" in help_of(name).splitlines()


def test_the_shape_of_the_schedule_is_said():
    shown = dict(entries_of(help_of("train", columns=120)))
    for flag in ("--lr FLOAT", "--warmup FLOAT"):
        assert "linearwarm-up" in shown[flag]
        assert "cosinedecayto0" in shown[flag]


def test_the_overview_is_within_the_width_and_names_every_command():
    for language in LANGUAGES:
        with speaking(language):
            text = overview_of(cli.COMMANDS, Screen(60))
        assert max(map(display_width, text.splitlines())) <= 60
        assert [left for left, _ in entries_of(text)] == list(cli.COMMANDS)


def test_colour_is_for_headings_alone_and_changes_no_word():
    for name in ("train", "compare"):
        plain, coloured = help_of(name), help_of(name, colours=True)
        assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
        marked = [line for line in coloured.splitlines() if ESCAPE in line]
        assert marked
        assert all(line.startswith(ESCAPE) and line.endswith(":\x1b[0m") for line in marked)


def in_terminal(words, columns, **environment):
    """What a command line writes to a terminal of its own."""
    master, slave = pty.openpty()
    code = f"import os, termios; termios.tcsetwinsize(1, (24, {columns})); "
    code += f"import sys; from rewardsmith import cli; sys.exit(cli.main({words!r}))"
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    with subprocess.Popen([sys.executable, "-c", code], stdout=slave, env={**kept, **environment}):
        os.close(slave)
        pieces = []
        while piece := read_some(master):
            pieces.append(piece)
    os.close(master)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def read_some(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_a_terminal_gets_its_width_and_colours_unless_it_wants_none():
    for language in LANGUAGES:
        words = ["evaluate", "--help", "--lang", language]
        plain = in_terminal(words, 60, TERM="xterm", NO_COLOR="1")
        assert 55 < max(map(display_width, plain.splitlines())) <= 60
        assert ESCAPE not in plain
        assert ESCAPE not in in_terminal(words, 60, TERM="dumb")
        assert re.sub(r"\x1b\[[\d;]*m", "", in_terminal(words, 60, TERM="xterm", NO_COLOR="")) == plain
    assert ESCAPE in in_terminal(["--help"], 80, TERM="xterm")


def test_a_pipe_gets_80_columns_and_no_colour(capfd, monkeypatch):
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["train", "--help"]) == 0
    assert capfd.readouterr().out == help_of("train", columns=80)
