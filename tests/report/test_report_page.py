import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from rewardsmith.diagnose.compared import gather
from rewardsmith.diagnose.facts import BaselineFacts, CurvePoint, Facts, GroupFacts, ReliabilityFacts
from rewardsmith.diagnose.verdict import judge
from rewardsmith.report.markdown import fenced, plain, render_markdown
from rewardsmith.report.page import SHOWN_CHARACTERS, render_page
from rewardsmith.report.text import TEXTS
from rewardsmith.report.writing import write_report, xml_safe

HOSTILE = "</td></table><script>alert(1)</script><img src=https://evil.example/x.png onerror=alert(2)>\"'&amp;{{ 7*7 }}"


def comparisons(texts=("好的回答", "bad")):
    rng = np.random.default_rng(0)
    for line, margin in enumerate(rng.normal(0.5, 1, size=200), start=1):
        reward = float(rng.normal())
        yield (
            f"comparisons.jsonl:{line}",
            {
                "margin": float(margin),
                "reward_i": reward + float(margin),
                "reward_j": reward,
                "length_i": 10,
                "length_j": 12,
                "prompt": "你好",
                "text_i": texts[0],
                "text_j": texts[1],
                "category": texts[0][:40],
            },
        )


def full_facts(texts=("好的回答", "bad"), name="run"):
    return Facts(
        name=name,
        split="test",
        n=200,
        accuracy=0.7,
        loss=0.6,
        ece=0.05,
        ece_noise_floor=0.06,
        baselines=(BaselineFacts("longer", 0.5),),
        by_category=(GroupFacts(texts[0], 100, 0.6), GroupFacts("$x_1$", 100, 0.8)),
        by_difficulty={"length": (GroupFacts("short", 100, 0.6), GroupFacts("long", 100, 0.8))},
        reliability=(ReliabilityFacts(0.6, 0.55, 100), ReliabilityFacts(0.9, 0.8, 100)),
        reliability_calibrated=(ReliabilityFacts(0.6, 0.6, 100),),
        curve=tuple(CurvePoint(step, loss=0.7 - step / 9000, accuracy=0.6) for step in range(3000)),
        passes=(CurvePoint(1000, loss=0.65, accuracy=0.62), CurvePoint(2000, loss=0.6, accuracy=0.7)),
        compared=gather(comparisons(texts)),
        notes=("train.json is missing",),
    )


class Outline(HTMLParser):
    """Tags, attributes and texts of a page as a browser would take them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page():
    facts = full_facts()
    return render_page(judge(facts), facts)


def test_hostile_texts_stay_texts():
    facts = full_facts((HOSTILE, HOSTILE), name=HOSTILE)
    outline = Outline(render_page(judge(facts), facts))
    assert outline.tags.count("script") == 1
    assert outline.tags.count("table") == 1
    assert "img" not in outline.tags
    assert not [item for item in outline.attributes if item[1].startswith("on")]
    assert any("<script>alert(1)</script>" in text for text in outline.text)
    assert any("{{ 7*7 }}" in text for text in outline.text)


def test_the_page_asks_for_nothing(page):
    outline = Outline(page)
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(outline.tags)
    addresses = [
        value for _, name, value in outline.attributes if name in ("src", "href", "xlink:href", "action", "style")
    ]
    assert not [value for value in addresses if "//" in value or "@import" in value]
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_policy_admits_this_pages_script_alone(page):
    policy = next(value for _, name, value in Outline(page).attributes if name == "content" and "default-src" in value)
    script = page.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy


def test_every_plot_is_there_with_its_texts_as_text(page):
    assert page.count("<svg") == 7
    texts = set(Outline(page).text)
    assert {"loss (nats)", "ln 2 (chance)", "longer wins", "after temperature scaling", "wrong", "preferred"} <= texts
    assert "$x_1$ (n = 100)" in texts
    assert "font-family" not in page.split("<svg")[1] or "DejaVu" not in page.split("<svg")[1]


def test_chinese_is_text_and_has_fonts():
    facts = full_facts()
    page = render_page(judge(facts), facts, lang="zh")
    texts = set(Outline(page).text)
    assert 'lang="zh-Hans"' in page
    assert {"损失（nat）", "好的回答 (n = 100)", "下一步"} & texts >= {"损失（nat）", "好的回答 (n = 100)"}
    for font in ("Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei"):
        assert font in page


def test_no_colour_stand_in_is_left(page):
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]", page)
    assert "DejaVu" not in page


def test_a_long_curve_stays_small(page):
    assert len(page) < 400_000
    assert "each point is the mean of 6 rows" in page


def test_the_same_facts_give_the_same_page(page):
    facts = full_facts()
    assert render_page(judge(facts), facts) == page


def test_a_long_text_says_what_is_left_out():
    facts = full_facts(("x" * (SHOWN_CHARACTERS + 1234), "y"))
    page = render_page(judge(facts), facts)
    assert "1,234 more characters" in page
    assert "x" * (SHOWN_CHARACTERS + 1) not in page


@pytest.mark.parametrize("facts", [Facts(), Facts(train_loss=0.9, loss=0.5, accuracy=0.7), Facts(compared=gather([]))])
def test_little_is_enough_for_a_page(facts, tmp_path):
    for language in ("en", "zh"):
        paths = write_report(judge(facts), facts, tmp_path, lang=language)
        assert "<svg" not in paths.html.read_text(encoding="utf-8")


def test_equal_rewards_still_draw():
    rows = [("f:1", {"reward_i": 1.0, "reward_j": 1.0})]
    facts = Facts(compared=gather(rows))
    assert render_page(judge(facts), facts).count("<svg") == 2


def test_three_files_are_written_and_agree(tmp_path):
    facts = full_facts((HOSTILE, "坏\x00\ud800"))
    verdict = judge(facts)
    paths = write_report(verdict, facts, tmp_path / "new", lang="zh")
    content = json.loads(paths.json.read_text(encoding="utf-8"))
    assert content["verdict"] == verdict.label
    assert content["headline"] == verdict.headline.zh
    assert content["numbers"]["accuracy"] == 0.7
    assert content["paths"] == {"html": "report.html", "markdown": "report.md", "json": "report.json"}
    assert verdict.next_action.zh in paths.html.read_text(encoding="utf-8").replace("&#39;", "'")
    assert "\x00" not in paths.html.read_text(encoding="utf-8")


def test_numbers_that_are_not_finite_become_null(tmp_path):
    facts = Facts(accuracy=0.7, n=10, loss=float("nan"))
    content = json.loads(write_report(judge(facts), facts, tmp_path).json.read_text(encoding="utf-8"))
    assert content["numbers"]["loss"] is None


def test_markdown_shows_hostile_texts_as_texts(tmp_path):
    facts = full_facts((HOSTILE + "\n```\n# no heading\n````", "坏"))
    text = write_report(judge(facts), facts, tmp_path).markdown.read_text(encoding="utf-8")
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    assert "<script>" not in outside
    assert "\n# no heading" not in outside
    assert "\n# no heading" in text
    assert "坏" in text


def test_markdown_escapes():
    assert plain("a|b\n<c> `d`") == "a\\|b &lt;c> \\`d\\`"
    assert fenced("a ```` b").startswith("`````text\n")


def test_control_characters_and_lone_surrogates_are_replaced():
    assert xml_safe("a\x00b\tc\ud800d😀") == "a\ufffdb\tc\ufffdd😀"


def test_every_text_is_there_in_both_languages():
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()
    for key, english in TEXTS["en"].items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", TEXTS["zh"][key])), key
        assert english.strip()
        assert TEXTS["zh"][key].strip()


def test_tau_stands_beside_its_number_of_rankings():
    facts = Facts(kendall_tau=0.5, kendall_tau_n=1200, n=9, accuracy=0.7)
    for lang, words in (("en", "n = 1,200 rankings"), ("zh", "n = 1,200 个排序")):
        text = render_markdown(judge(facts), facts, lang=lang)
        assert words in text
    assert "Kendall" not in render_markdown(judge(Facts(n=9)), Facts(n=9))


def cells_of(page):
    """The attributes of each cell of the table of errors, row by row."""
    rows = page.split("<tbody>")[1].split("</tbody>")[0].split("<tr")[1:]
    return [[dict(re.findall(r'([a-z-]+)="([^"]*)"', cell)) for cell in row.split("<td")[1:]] for row in rows]


def test_every_number_of_the_table_has_a_value_to_sort_by(page):
    for _, length, _, _, preferred, other in cells_of(page):
        assert float(length["data-value"]) == -2
        assert float(preferred["data-value"]) < float(other["data-value"])


def test_the_page_says_how_many_errors_paper_leaves_out():
    def printed(count):
        rows = [(f"f:{k}", {"reward_i": float(k), "reward_j": k + 1.0}) for k in range(count)]
        facts = Facts(compared=gather(rows))
        return [render_page(judge(facts), facts, lang=lang) for lang in ("en", "zh")]

    for page in printed(13):
        assert page.count('<tr class="not-on-paper">') == 3
        assert re.search(r'<p id="on-paper"[^>]*>[^<]*\b3\b', page.replace("另有 3 行", " 3 "))
    for page in printed(10):
        assert '<tr class="not-on-paper">' not in page
        assert re.search(r'<p id="on-paper"[^>]* hidden>', page)


@pytest.mark.parametrize("width", ["max-width", "min-width"])
def test_layouts_by_width_are_for_screens(page, width):
    assert not re.search(rf"@media(?! screen)[^{{]*{width}", page)


def test_nothing_is_parted_or_cut_on_paper(page):
    rules = page.split("@media print {")[1].split("</style>")[0]
    avoided = re.search(r"([^{}]*)\{ break-inside: avoid; \}", rules)[1]
    assert {".finding", "figure", "tr"} <= {part.strip() for part in avoided.split(",")}
    assert re.search(r"\.text \{ max-height: none; overflow: visible; \}", rules)
