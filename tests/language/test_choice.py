"""Which language is spoken, and what a screen without Chinese characters gets."""

import io
import json
import os
import re
import subprocess
import sys

import pytest

import rewardsmith
from rewardsmith import cli
from rewardsmith.errors import DataError, UsageError
from rewardsmith.language import current, language_of, of_environment, say, shows_chinese, speaking


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "C", "LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "REWARDSMITH_LANG": "en"}, "en"),
        ({"LANG": "C", "REWARDSMITH_LANG": "zh-Hans"}, "zh"),
    ],
)
def test_the_environment_chooses_a_language(environment, expected):
    assert of_environment(environment) == expected


def test_a_locale_may_be_left_out_of_account_but_not_the_variable():
    assert of_environment({"LANG": "zh_CN.UTF-8"}, by_locale=False) == "en"
    assert of_environment({"REWARDSMITH_LANG": "zh"}, by_locale=False) == "zh"


@pytest.mark.parametrize("word", ["fr", "", "zhong", "en;zh"])
def test_another_language_is_refused(word):
    with pytest.raises(UsageError, match="expected one of en, zh"):
        language_of(word, "--lang")


def test_what_is_asked_for_wins_and_ends_with_its_block(monkeypatch):
    monkeypatch.setenv("REWARDSMITH_LANG", "en")
    with speaking("zh"):
        assert current() == "zh"
        with speaking(None):
            assert current() == "zh"
        with speaking("en"):
            assert current() == "en"
    assert current() == "en"


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


@pytest.mark.parametrize(("encoding", "able"), [("utf-8", True), ("gbk", True), ("ascii", False), ("latin-1", False)])
def test_a_screen_shows_chinese_or_not(encoding, able):
    assert shows_chinese(stream(encoding)) is able


def run(monkeypatch, *words, encoding="utf-8", **environment):
    """(exit code, standard output, standard error) of the command line on a screen of some encoding, as bytes."""
    screens = stream(encoding), stream(encoding)
    monkeypatch.setattr(sys, "stdout", screens[0])
    monkeypatch.setattr(sys, "stderr", screens[1])
    monkeypatch.delenv("REWARDSMITH_LANG", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code = cli.main(list(words))
    return code, *(screen.buffer.getvalue() for screen in screens)


CHINESE = "错误：未知的命令 'trian'。您是不是想用 'train'？请看 `rewardsmith --help`\n"
ENGLISH = "error: unknown command 'trian'. Did you mean 'train'? See `rewardsmith --help`\n"


@pytest.mark.parametrize(
    ("words", "environment", "encoding", "expected"),
    [
        (["trian"], {"LC_ALL": "zh_CN.UTF-8"}, "utf-8", CHINESE),
        (["trian"], {"LC_ALL": "zh_CN.GBK"}, "gbk", CHINESE),
        (["trian"], {"LC_ALL": "C"}, "utf-8", ENGLISH),
        (["trian"], {"LC_ALL": "C", "REWARDSMITH_LANG": "zh"}, "utf-8", CHINESE),
        (["--lang", "zh", "trian"], {"LC_ALL": "C"}, "utf-8", CHINESE),
        (["--lang=zh", "trian"], {"LC_ALL": "C"}, "utf-8", CHINESE),
        (["trian", "--lang", "zh"], {"LC_ALL": "C"}, "utf-8", CHINESE),
        (["trian", "--lang", "en"], {"LC_ALL": "zh_CN.UTF-8"}, "utf-8", ENGLISH),
        (["trian"], {"LC_ALL": "zh_CN.UTF-8"}, "ascii", ENGLISH),  # the locale says so, but this screen cannot
    ],
)
def test_an_error_is_said_in_the_language_asked_for(monkeypatch, words, environment, encoding, expected):
    code, out, err = run(monkeypatch, *words, encoding=encoding, **environment)
    assert (code, out, err.decode(encoding)) == (2, b"", expected)


def test_an_unknown_language_is_refused_in_one_line(monkeypatch):
    code, _, err = run(monkeypatch, "train", "--lang", "fr")
    assert (code, err) == (2, b"error: --lang: got 'fr', expected one of en, zh\n")
    code, _, err = run(monkeypatch, "train", REWARDSMITH_LANG="fr")
    assert (code, err) == (2, b"error: REWARDSMITH_LANG: got 'fr', expected one of en, zh\n")


def test_chinese_on_an_ascii_screen_is_escaped_and_json_stays_json(monkeypatch):
    code, out, err = run(monkeypatch, "trian", "--lang", "zh", "--json", encoding="ascii")
    assert code == 2
    assert err.decode("ascii").encode().decode("unicode_escape") == CHINESE
    assert json.loads(out)["error"] == {"type": "UsageError", "message": CHINESE[3:-1]}


def test_a_settings_file_may_name_the_language_of_any_command(monkeypatch, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("verbose: maybe\nlang: zh\n", encoding="utf-8")
    code, _, err = run(monkeypatch, "version", "--config", str(path), LC_ALL="C")
    assert (code, err.decode()) == (2, f"错误：{path}:1: verbose: 得到 文本 'maybe'，应为true 或 false\n")
    code, _, err = run(monkeypatch, "version", "--config", str(path), "--lang", "en", LC_ALL="C")
    assert err.decode() == f"error: {path}:1: verbose: got the text 'maybe', expected true or false\n"
    path.write_text("lang: fr\n", encoding="utf-8")
    code, _, err = run(monkeypatch, "version", "--config", str(path), LC_ALL="C")
    assert (code, err.decode()) == (2, f"error: {path}:1: lang: got 'fr', expected one of en, zh.\n")
    path.write_text("language: zh\n", encoding="utf-8")
    assert b"unknown key 'language'. Did you mean 'lang'?" in run(monkeypatch, "version", "--config", str(path))[2]


def test_all_of_the_help_is_chinese(monkeypatch):
    for words in ([], *([name] for name in cli.COMMANDS)):
        out = run(monkeypatch, *words, "--help", "--lang", "zh", COLUMNS="500")[1].decode()
        assert run(monkeypatch, "--lang", "zh", *words, "-h")[1].decode() == out
        # Names stay as they are: the example, the page, and a flag that has a line of its own.
        names = re.compile(r"  (rewardsmith |docs/)|  (-o, )?--[a-z.-]+( [A-Z{][^ ]*)*$")
        texts = [line for line in out.splitlines() if line.strip() and not names.match(line)]
        assert [text for text in texts if text.isascii()] == [], words
        assert "用法：" in texts[0]


@pytest.mark.parametrize("locale", ["zh_CN.UTF-8", "C", "POSIX"])
@pytest.mark.parametrize("coding", ["", "ascii", "utf-8"])
def test_no_locale_makes_a_real_process_fail_on_chinese(tmp_path, locale, coding):
    (tmp_path / "数据.jsonl").write_text('{"prompt":"问","chosen":"好","rejected":"坏"}\n坏行\n', encoding="utf-8")
    environment = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": coding}
    environment.pop("REWARDSMITH_LANG")
    code = f"import sys; from rewardsmith import cli; sys.exit(cli.main({['prepare', '数据.jsonl', '-o', '出']!a}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False)
    shown = done.stdout + done.stderr
    assert b"Traceback" not in shown
    assert b"UnicodeEncodeError" not in shown
    # One row cannot fill three splits: said in the language and the encoding of this screen.
    said = "划分为空" if locale.startswith("zh") and coding != "ascii" else "split is empty"
    assert (done.returncode in (0, 1), said in shown.decode()) == (True, True), shown.decode()


def test_python_speaks_the_language_that_is_asked_for(tmp_path):
    with pytest.raises(DataError, match="不存在；应为含有数据的文件或目录"):
        rewardsmith.load(str(tmp_path / "nix.jsonl"), lang="zh")
    with pytest.raises(DataError, match="does not exist; expected a file or folder") as caught:
        rewardsmith.load(str(tmp_path / "nix.jsonl"))
    assert say(caught.value, lang="zh").endswith("请检查路径")
    with pytest.raises(UsageError, match="lang: got 'fr'"):
        rewardsmith.load("x", lang="fr")
