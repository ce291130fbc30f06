"""Messages, help, findings and cards are plain technical language, and Chinese has one word a thing."""

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest
from english import PACKAGE, literals, prose_of
from test_catalogue import wanted

from rewardsmith import cli
from rewardsmith.language.catalogue import FOLDER, entries
from rewardsmith.report.text import TEXTS
from rewardsmith.settings import settings_of

PRIVATE = {
    r"\bnobody\b|\bsomebody\b|\beverybody\b": "name who: the annotators, the user",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\bby heart\b": "memorise",
    r"\bcoin\b": "chance level",
    r"\b(is|are|was) told\b|\btells?\b": "show, report, distinguish",
    r"\bstands?\b|\bstood\b": "be, be blocked by",
    r"\bworth\b": "performance",
    r"\bholds?\b(?! out)": "contain, have, pass",
    r"\banew\b|\bonce more\b": "again",
    r"\bgo(es|ing)? (on|by|round)\b(?! \d)": "continue, resume, form a cycle",
    r"\b(is|are) no (?!longer)(JSON|folder|file|name|source|pair|number|model|check|list|object|valid|whole)": "is not a …",
    r"\b(is|are) not there\b|\bis there already\b|\bis already there\b": "does not exist, already exists",
    r"\b(cut|cuts) (off|over|to fit)\b|\bcut away\b": "truncate, shard",
    r"\b(hang|hangs|laid|lies) (on|upon)\b": "depend on",
    r"\bto be had\b|\bof ours\b|\bfor good\b|\bbeyond repair\b": "available, permanent",
    r"\bleave (it|them|\S+) out\b|\bleft out\b": "remove, exclude",
    r"\bis it complete\?": "check that the copy is complete",
    r"\bspells? (a|the|special)\b": "contain the text of",
    r"\bcannot be said\b|\bcannot tell\b|\btold apart\b": "is unknown, is not distinguishable",
    r"\bdocument 00\d\b|\(001\)": "say what it is",
    r"\bwhole number": "integer",
    r"\banswers?\b(?! given)": "response",
}
"""English that no reader of technical documentation expects -> what to write instead."""

QUOTED = ("How good is this answer?",)
"""Examples inside sentences."""

MIXED = {
    "回答": "回复",
    "词元": "token",
    "契约": "评分约定",
    "文件夹": "目录",
    "分差": "奖励差",
    "基础模型": "基座模型",
    "数据对": "偏好对",
    "样本对": "偏好对",
    "评分模型": "奖励模型",
    "评过分": "打过分",
    "令牌 id": "token id",
    r"(?<!个)提示(?!词|符)": "提示词",
    r"个回复": "条回复",
    "模版": "模板",
    "抛硬币": "随机水平",
}
"""Chinese that would be a second word for a thing -> the one word for it."""

DIAGNOSE = sorted(path for name in ("audit", "diagnose") for path in (PACKAGE / name).rglob("*.py"))
"""Modules whose sentences hold both languages."""
CARDS = {language: PACKAGE / "report" / "templates" / f"card.{language}.md" for language in ("en", "zh")}
NOT_NOUNS = {"info": "提示"}
"""Entries of TEXTS in which the word is another one: the label of a note."""


@functools.cache
def said(path: Path) -> list[tuple[str, str]]:
    """(English, Chinese) of every `Said(…)` of a module, values as {0}."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [
        (english, chinese)
        for call in calls
        if ast.unparse(call.func) == "Said" and len(call.args) == 2
        for english, chinese in zip(literals(call.args[0]), literals(call.args[1]), strict=False)
    ]


@functools.cache
def english_sentences() -> list[str]:
    """Everything in English that a person reads, without quoted examples."""
    sentences = [*wanted(), *(english for path in DIAGNOSE for english, _ in said(path)), *TEXTS["en"].values()]
    sentences += CARDS["en"].read_text(encoding="utf-8").splitlines()
    for quoted in QUOTED:
        sentences = [sentence.replace(quoted, "") for sentence in sentences]
    return sentences


@functools.cache
def chinese_sentences() -> list[str]:
    """Everything in Chinese that a person reads, the two Chinese pages of the documentation included."""
    root = FOLDER.parents[3]
    pages = [CARDS["zh"], *root.glob("*.zh.md"), *(root / "docs").glob("*.zh.md")]
    sentences = [*entries().values(), *(chinese for path in DIAGNOSE for _, chinese in said(path))]
    sentences += [text for name, text in TEXTS["zh"].items() if NOT_NOUNS.get(name) != text]
    return sentences + [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("pattern", PRIVATE)
def test_no_sentence_uses_private_or_literary_words(pattern):
    found = [sentence for sentence in english_sentences() if re.search(pattern, sentence, re.IGNORECASE)]
    assert found == [], f"plain words for it: {PRIVATE[pattern]}"


@pytest.mark.parametrize("pattern", MIXED)
def test_chinese_has_one_word_for_each_thing(pattern):
    found = [sentence for sentence in chinese_sentences() if re.search(pattern, sentence)]
    assert found == [], f"the one word for it: {MIXED[pattern]}"


def test_the_sentences_are_found():
    assert sum(len(said(path)) for path in DIAGNOSE) > 150
    assert len(english_sentences()) > 1000
    assert len(chinese_sentences()) > 1000
    assert any("cannot be opened" in sentence for path in sorted(PACKAGE.rglob("*.py")) for sentence in prose_of(path))


@pytest.mark.parametrize("command", ["evaluate", "score", "verify", "inspect", "train"])
def test_words_of_our_own_are_explained_in_the_help_that_uses_them(command):
    """`probe` is a stored conversation in some commands and a linear probe in another; a contract fixes the tokens."""
    kind = importlib.import_module(cli.COMMANDS[command].module).Config
    texts = [setting.help for setting in settings_of(kind)]
    explained = {
        r"\bprobes\b": "conversations stored with their rewards",
        r"\bprobe:?\b(?!s)": "linear probe",
        r"\bcontract\b": "how conversations become tokens",
    }
    for word, meaning in explained.items():
        assert [text for text in texts if re.search(word, text) and meaning not in text] == [], word
