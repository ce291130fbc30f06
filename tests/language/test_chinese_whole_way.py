"""Chinese and mixed data the whole way, in both languages: the same numbers and bytes, other words."""

import io
import json
import re
import sys

import pytest

from rewardsmith import cli

CHINESE = re.compile("[\u4e00-\u9fff]")
QUOTED = re.compile("“[^”]*”")
"""Phrases of the data, which a finding quotes in whatever language they are."""
PLACES_AND_TIMES = {
    *("seconds", "pairs_per_second", "tokens_per_second", "peak_process_bytes"),
    *("output", "model_folder", "source", "sources", "model"),
}


def row(n):
    if n % 2:
        return {"prompt": f"{n} 加 {n} 等于多少？", "chosen": f"等于 {2 * n}。", "rejected": f"答案是 {n}{n}，对吧😀。"}
    return {"prompt": f"What is {n} + {n}?", "chosen": f"It is {2 * n}.", "rejected": f"That makes {n}{n}, right?"}


STEPS = {
    "prepare": ["prepare", "数据.jsonl", "-o", "{out}/data"],
    "train": [
        *("train", "--model", "tiny", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "128"),
        *("--dataset", "{out}/data", "-o", "{out}/run", "--threads", "1", "--no-report"),
    ],
    "evaluate": ["evaluate", "{out}/run", "{out}/data", "-o", "{out}/test"],
    "diagnose": ["diagnose", "{out}/test"],
    "compare": ["compare", "{out}/test", "{out}/test"],
    "score": ["score", "{out}/run", "{out}/data/test.jsonl", "-o", "{out}/rewards.jsonl", "--best-of"],
    "inspect": ["inspect", "{out}/data/test.jsonl", "--model", "{out}/run"],
}


def go(words, encoding="utf-8"):
    """(exit code, standard output, standard error) of the command line on a screen of its own."""
    screens = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2)]
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = screens
    try:
        code = cli.main(words)
    finally:
        sys.stdout, sys.stderr = before
    return code, *(screen.buffer.getvalue().decode(encoding) for screen in screens)


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """What each step said in each language, and the folder that it worked in."""
    folder = tmp_path_factory.mktemp("way")
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("REWARDSMITH_LANG", raising=False)
        lines = [json.dumps(row(n), ensure_ascii=False) for n in range(1, 201)]
        (folder / "数据.jsonl").write_text("\n".join([*lines, '{"prompt": "坏行"}']) + "\n", encoding="utf-8")
        for out, locale in (("en", "C"), ("zh", "zh_CN.UTF-8")):
            patch.setenv("LC_ALL", locale)
            for name, words in STEPS.items():
                said[out, name] = go([word.format(out=out) for word in words])
    return folder, said


@pytest.mark.parametrize("name", STEPS)
def test_every_step_works_and_speaks_its_language(ways, name):
    _, said = ways
    for language in ("en", "zh"):
        code, _, err = said[language, name]
        assert code == 0, err
        assert "Glyph" not in err
        assert "Warning" not in err
    own = {"en": said["en", name][1], "zh": said["zh", name][1]}
    assert CHINESE.search(own["zh"])
    if name not in ("prepare", "inspect"):  # these show names and texts of the data
        assert not CHINESE.search(QUOTED.sub("", own["en"]))


def test_no_line_of_the_chinese_way_is_left_in_english(ways):
    """What may stay: lines that are paths, figures and names only."""
    sentence = re.compile(r"\b[a-z]{3,} (?:[a-z]{2,} ){2}")
    for (language, name), (_, out, err) in ways[1].items():
        if language == "zh" and name != "inspect":
            own = QUOTED.sub("", out + err)
            assert [line for line in own.splitlines() if sentence.search(line)] == [], name


def test_the_language_changes_no_prepared_byte(ways):
    folder, _ = ways
    english, chinese = folder / "en" / "data", folder / "zh" / "data"
    names = sorted(path.name for path in english.iterdir())
    assert names == sorted(path.name for path in chinese.iterdir())
    different = [name for name in names if (english / name).read_bytes() != (chinese / name).read_bytes()]
    assert different == ["quality.html"]  # the page to read


def test_the_language_changes_no_number(ways):
    folder, _ = ways
    for name in ("test/evaluation.json", "run/train.json"):
        english, chinese = (json.loads((folder / out / name).read_text()) for out in ("en", "zh"))
        different = {key for key in english | chinese if english.get(key) != chinese.get(key)}
        assert different <= PLACES_AND_TIMES
    rewards = [
        [json.loads(line)["rewards"] for line in (folder / out / "rewards.jsonl").read_text("utf-8").splitlines()]
        for out in ("en", "zh")
    ]
    assert rewards[0] == rewards[1]
    assert len(rewards[0]) > 5


def test_results_come_by_language_too(ways):
    groups = json.loads((ways[0] / "zh" / "test" / "evaluation.json").read_text())["by_category"]
    assert set(groups) == {"language: en", "language: zh"}
    assert sum(group["n"] for group in groups.values()) > 5


def test_the_report_is_chinese_throughout(ways):
    folder, _ = ways
    page = (folder / "zh" / "test" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in page
    for words in (
        "结论" if "结论" in page else "下一步",
        "可靠性",
        "语言：中文",
        "按长度差（词数）的准确率",
        "奖励模型报告",
    ):
        assert words in page
    assert "<image" not in page
    assert json.loads((folder / "zh" / "test" / "report.json").read_text())["lang"] == "zh"
    english = (folder / "en" / "test" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in english
    assert "language: Chinese" in english


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["evaluate", "diagnose", "inspect", "prepare"])
def test_an_ascii_screen_shows_every_result(ways, monkeypatch, tmp_path, name, language):
    monkeypatch.chdir(ways[0])
    words = [word.format(out="zh") for word in STEPS[name] if word != "-o"][: 3 if name == "evaluate" else None]
    words = {
        "diagnose": [*words, "-o", str(tmp_path / "out")],
        "prepare": [*words[:2], "-o", str(tmp_path / "出")],
    }.get(name, words)
    code, out, err = go([*words, "--lang", language], encoding="ascii")
    assert code == 0, err
    assert out


def test_a_table_stays_in_columns(ways):
    from rewardsmith.language import display_width

    lines = ways[1]["zh", "evaluate"][1].splitlines()
    rows = [line for line in lines if " [" in line]
    starts = {display_width(re.match(r"(.*?)\d\.\d{3} \[", line)[1]) for line in rows}
    assert len(rows) >= 5
    assert len(starts) == 1
