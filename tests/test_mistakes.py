"""Some of the mistakes of benchmarks/mistakes.txt, typed: the exit code and what the message names, in both languages."""

import contextlib
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import mistakes

EVERY = mistakes.read_list()
SOME = [mistake for mistake in EVERY[::9] if mistake.code == 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("mistakes")
    with contextlib.chdir(path), pytest.MonkeyPatch.context() as patch:
        patch.setenv("REWARDSMITH_LANG", "en")
        mistakes.make_files()
    return path


def test_the_list_is_long():
    assert len(EVERY) >= 250


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("mistake", SOME, ids=lambda mistake: mistake.line)
def test_a_mistake_is_answered(mistake, lang, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REWARDSMITH_LANG", lang)
    outcome = mistakes.run(mistake.words, lang)
    assert outcome.code == mistake.code, outcome.message
    for pattern in mistake.patterns(lang):
        assert re.search(pattern, outcome.message), outcome.message
