import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from rewardsmith.diagnose.compared import gather
from rewardsmith.diagnose.facts import BaselineFacts, CurvePoint, Facts, GroupFacts, ReliabilityFacts
from rewardsmith.diagnose.reading import facts_from_mapping
from rewardsmith.diagnose.verdict import judge
from rewardsmith.report.run.errors import CHARACTERS_IN_ALL, FEWEST_CHARACTERS, MOST_CHARACTERS, characters_each
from rewardsmith.report.run.markdown import fenced, plain, render_markdown
from rewardsmith.report.run.page import render_page
from rewardsmith.report.safety import xml_safe
from rewardsmith.report.text import PAIRS, TEXTS
from rewardsmith.report.writing import write_report

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
    assert "table" not in outline.tags
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


def test_the_policy_admits_this_pages_script_and_style_alone(page):
    outline = Outline(page)
    policy = next(value for _, name, value in outline.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [tag for tag, name, _ in outline.attributes if name == "style" or name.startswith("on")]
    for element, source in (("script", "script-src"), ("style", "style-src")):
        content = page.split(f"<{element}>")[1].split(f"</{element}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in policy


def test_every_plot_is_there_with_its_texts_as_text(page):
    assert page.count("<svg") == 7
    texts = {text.strip() for text in Outline(page).text}
    assert {"loss (nats)", "ln 2 (chance)", "after temperature scaling", "wrong", "preferred"} <= texts
    assert {"$x_1$", "n = 100", "longer wins (best baseline)"} <= texts


def test_charts_are_named_for_those_who_cannot_see_them(page):
    names = re.findall(r'<svg [^>]*role="img" aria-label="([^"]+)"', page)
    assert len(names) == 7
    assert {"Loss", "Reliability"} <= set(names)


def test_chinese_is_text_and_has_fonts():
    facts = full_facts()
    page = render_page(judge(facts), facts, lang="zh")
    texts = {text.strip() for text in Outline(page).text}
    assert 'lang="zh-Hans"' in page
    assert {"损失（nat）", "好的回答", "下一步"} <= texts
    for font in ("Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei"):
        assert font in page


def test_a_long_curve_stays_small(page):
    assert len(page) < 400_000
    assert "each point is the mean of 12 rows" in page


def test_the_same_facts_give_the_same_page(page):
    facts = full_facts()
    assert render_page(judge(facts), facts) == page


def test_a_long_text_says_what_is_left_out():
    facts = full_facts(("x" * 123_456, "y"))
    page = render_page(judge(facts), facts)
    most = characters_each(len(facts.compared.worst))
    assert f"{123_456 - most:,} more characters" in page
    assert "x" * most in page
    assert "x" * (most + 1) not in page


@pytest.mark.parametrize("errors", [0, 1, 10, 100, 500])
def test_few_errors_are_shown_in_full_and_many_stay_within_bounds(errors):
    most = characters_each(errors)
    assert FEWEST_CHARACTERS <= most <= MOST_CHARACTERS
    assert most == FEWEST_CHARACTERS or 3 * errors * most <= CHARACTERS_IN_ALL
    assert characters_each(1) == MOST_CHARACTERS


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
    assert TEXTS["en"].keys() == TEXTS["zh"].keys() == PAIRS.keys()
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


def errors_of(page):
    """The data attributes of each error, in the order of the page."""
    return [dict(re.findall(r'data-([a-z]+)="([^"]*)"', row)) for row in page.split('<article class="error')[1:]]


def test_every_error_has_its_numbers_to_sort_by(page):
    errors = errors_of(page)
    assert [float(one["margin"]) for one in errors] == sorted(float(one["margin"]) for one in errors)
    for one in errors:
        assert float(one["length"]) == -2
        assert float(one["preferred"]) < float(one["other"])
        assert float(one["preference"]) == 1


def test_differences_are_marked_in_both_responses():
    facts = full_facts(("Two cups of green tea, no sugar.", "Two cups of black tea, no sugar."))
    page = render_page(judge(facts), facts)
    assert "Two cups of <mark>green </mark>tea, no sugar." in page
    assert "Two cups of <mark>black </mark>tea, no sugar." in page


def test_paper_gets_ten_errors_and_says_how_many_there_are():
    def printed(count, lang):
        rows = [(f"f:{k}", {"reward_i": float(k), "reward_j": k + 1.0}) for k in range(count)]
        facts = Facts(compared=gather(rows))
        return render_page(judge(facts), facts, lang=lang)

    for lang in ("en", "zh"):
        page = printed(13, lang)
        assert page.count('<article class="error not-on-paper"') == 3
        note = re.search(r'<p class="on-paper"[^>]*>([^<]*)</p>', page)[1]
        assert set(re.findall(r"\d+", note)) == {"10", "13"}
        assert "not-on-paper" not in printed(10, lang).split("</style>")[1].split("<script>")[0]


@pytest.mark.parametrize("width", ["max-width", "min-width"])
def test_layouts_by_width_are_for_screens(page, width):
    assert not re.search(rf"@media(?! screen)[^{{]*{width}", page)


def test_nothing_is_parted_or_cut_on_paper(page):
    rules = page.split("@media print {")[1].split("</style>")[0]
    avoided = ",".join(re.findall(r"([^{}]*)\{ break-inside: avoid; \}", rules))
    assert {".finding", "figure", "tr", ".error"} <= {part.strip() for part in avoided.split(",")}
    assert "max-height" not in rules


def ratio(one, other):
    """The contrast of two colours by WCAG 2."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_texts_have_the_contrast_of_wcag_aa_in_light_and_dark(page):
    assert ratio("#ffffff", "#000000") == pytest.approx(21)
    themes = re.findall(r":root \{([^}]*--paper[^}]*)\}", page)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
        for name in ("ink", "soft", "critical", "warning", "info", "good", "a", "b", "d"):
            for ground in ("paper", "panel"):
                assert ratio(colours[name], colours[ground]) >= 4.5, (name, ground)
        for ground in ("lacks-left", "lacks-right", "up1", "up2", "up3", "down1", "down2", "down3"):
            assert ratio(colours["ink"], colours[ground]) >= 4.5, ground
        assert ratio(colours["control"], colours["paper"]) >= 3


def test_many_long_errors_give_a_page_of_bounded_size():
    def rows():
        for k in range(2000):
            text = f"{k} long text " * 300
            yield f"f:{k}", {"reward_i": 0.0, "reward_j": 1.0 + k, "prompt": text, "text_i": text, "text_j": text + "!"}

    facts = Facts(n=2000, compared=gather(rows()))
    page = render_page(judge(facts), facts)
    assert len(page.encode()) < 5e6
    assert "The 500 largest of 2,000 comparisons" in page


def test_the_ceiling_stands_beside_the_agreement_it_is_from():
    facts = facts_from_mapping(
        {"accuracy": 0.61, "n": 900, "noise_ceiling": {"agreement": 0.63, "low": 0.63, "high": 0.6755, "n": 1200}}
    )
    for lang, words in (
        ("en", "two annotators agree in 63.0 %; n = 1,200"),
        ("zh", "两名标注者的一致率 63.0 %；n = 1,200"),
    ):
        text = render_markdown(judge(facts), facts, lang=lang)
        assert "63.0–67.5 %" in text
        assert words in text
