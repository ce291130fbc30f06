"""The Chinese catalogue is whole: every message, note, label and option of the code has its entry, and finds it."""

import importlib
import re

import pytest
from english import PACKAGE, numbered, prose_of

from rewardsmith import cli, manual
from rewardsmith.language import say
from rewardsmith.language.catalogue import FOLDER, PLACEHOLDER, Translation, entries, in_chinese
from rewardsmith.settings import settings_of
from rewardsmith.settings.fields import LANG

MODULES = sorted(PACKAGE.rglob("*.py"))
CHINESE = re.compile("[\u4e00-\u9fff]")
FREE = {"libraries.txt", "phrases.txt"}
"""Files whose entries need not stand in our code as whole sentences: words inside sentences, and others' messages."""


def wanted():
    """Every template of the code, with the module that it first stands in."""
    found = {}
    for path in MODULES:
        for template in prose_of(path):
            found.setdefault(template, str(path.relative_to(PACKAGE)))
    for text, place in explained():
        found.setdefault(text, place)
    return found


def explained():
    """The help of every option, command and group."""
    for name, command in cli.COMMANDS.items():
        yield command.group, "cli.py"
        kind = importlib.import_module(command.module).Config
        yield from ((setting.help, f"commands: {name} {setting.flag}") for setting in settings_of(kind))
    yield from ((text, "manual/help.py") for _, text in manual.COMMON_OPTIONS)
    yield from ((title, "manual/help.py") for title in manual.HEADINGS)
    yield from ((title, "manual/guides.py") for guide in manual.GUIDES.values() for title in guide.groups)
    yield LANG.help, "settings/fields.py"


def pairs_of(path):
    """(English, Chinese) of one file, Chinese empty where its line is missing."""
    english = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            yield english, line.strip()
            english = None
        elif line.strip() and not line.startswith("#"):
            if english is not None:
                yield english, ""
            english = line


def test_every_sentence_of_the_code_has_its_chinese():
    missing = [(place, template) for template, place in wanted().items() if template not in entries()]
    paste = "\n".join(f"# {place}\n{template}\n    " for place, template in missing)
    assert not missing, f"add to src/rewardsmith/language/zh/, Chinese behind the four spaces:\n\n{paste}"


def test_no_entry_outlives_its_sentence():
    known = wanted()
    stale = [
        f"{path.name}: {english}"
        for path in sorted(FOLDER.glob("*.txt"))
        if path.name not in FREE
        for english, _ in pairs_of(path)
        if english not in known
    ]
    assert stale == [], "delete these, or move words that only stand inside sentences to phrases.txt"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.name)
def test_every_entry_is_chinese_and_keeps_its_values(path):
    for english, chinese in pairs_of(path):
        assert CHINESE.search(chinese) or chinese != english, (english, chinese)
        numbers = {number for number, _ in PLACEHOLDER.findall(english)}
        assert {number for number, _ in PLACEHOLDER.findall(chinese)} == numbers, (english, chinese)


def test_no_entry_is_there_twice():
    every = [english for path in FOLDER.glob("*.txt") for english, _ in pairs_of(path)]
    assert sorted({english for english in every if every.count(english) > 1}) == []


def filled(template):
    """The template with values that are no words of the catalogue; of two values side by side, the second is empty."""
    single = re.sub(r"(\{\d+\*?\})\{\d+\*?\}", r"\1", template)
    return PLACEHOLDER.sub(lambda found: f"《{found[1]}》", single)


def test_every_template_is_read_as_itself():
    for english, chinese in entries().items():
        assert in_chinese(filled(english)).text == filled(chinese), english


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("no such sentence", "no such sentence"),
        ("prompt is 3; expected text", "prompt 的值是 3；应为文本"),
        ("--lr: got 'x', expected a number", "--lr: 得到 'x'，应为数字"),
        ("a.yaml:2: lr: got the text 'x', expected a number or text", "a.yaml:2: lr: 得到 文本 'x'，应为数字或文本"),
        (
            "none of the 2 rows can be used: missing_value × 2; the first, a.jsonl:1: the column 'chosen' is missing or "
            "null; expected a value; fill or drop the row",
            "2 行中没有一行可用：missing_value × 2；第一行 a.jsonl:1：列 'chosen' 缺失或为 null；应有值；请补全或删除该行",
        ),
        (
            "cannot write out: No space left on device (7 MB free on that disk)",
            "无法写入 out：磁盘空间不足（该磁盘剩余 7 MB）",
        ),
        (
            "interrupted by SIGTERM; finished work is kept in out; run the same command with --resume to continue",
            "已被 SIGTERM 中断；已完成的工作保存在 out；用同一命令加上 --resume 继续",
        ),
        ("    written to 数据/a b", "    已写入 数据/a b"),
        ("error: 'dataset' is missing; pass --dataset TEXT... or set dataset in the YAML file",
         "错误：缺少 'dataset'；请传入 --dataset TEXT...，或在 YAML 文件中设置 dataset"),
    ],
)  # fmt: skip
def test_a_finished_message_finds_its_template(english, chinese):
    assert say(english, "zh") == chinese
    assert say(english, "en") == english


@pytest.mark.parametrize(
    "value", ["text", "a number", "rows", "add data", "x is 3; expected text", "{0}", "\\1", "a; b: c"]
)
def test_a_value_that_reads_like_a_message_is_carried_over_as_it_is(value):
    assert say(f"{value} does not exist; expected a file or folder with data; check the path", "zh") == (
        f"{value} 不存在；应为含有数据的文件或目录；请检查路径"
    )


@pytest.mark.parametrize("sign", ["; ", ": ", " (", "a; b: c (", "{0}"])
def test_a_long_quotation_is_neither_slow_nor_too_deep(sign):
    message = f"prompt is {sign * 2000}; expected text"
    assert say(message, "zh").endswith("应为文本")
    assert say(sign * 2000, "zh") == sign * 2000


def test_few_fixed_letters_do_not_claim_whole_sentences():
    entry = Translation("{0} left", "剩余 {0}")
    assert entry.render("0:00:40 left") is not None
    assert entry.render("nothing of it is left") is None


def test_a_template_is_taken_from_any_way_to_write_a_sentence():
    import ast

    def of(source):
        return numbered(ast.parse(source, mode="eval").body)

    assert of("f'{a} is {b!r:>9}; expected ' f'{c}'") == "{0} is {1}; expected {2}"
    assert of("'splits: ' + names + ' and more'") == "splits: {0} and more"
    assert of("f'{{literal}} {x}'") == "{literal} {0}"
    assert of("names") is None


def test_a_sentence_without_an_entry_is_noticed(tmp_path, monkeypatch):
    import english

    path = tmp_path / "made.py"
    path.write_text('"""Words of a docstring."""\nraise ValueError(f"the row {n} has no end")\n', encoding="utf-8")
    monkeypatch.setattr(english, "PACKAGE", tmp_path)
    assert prose_of(path) == ["the row {0} has no end"]
    assert "the row {0} has no end" not in entries()
