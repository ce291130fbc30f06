"""Sections on benchmarks and audits: shown where they were measured, absent where not, their numbers as measured."""

import json
import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from test_report_page import HOSTILE, Outline

from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.verdict import judge
from rewardsmith.report.run.evidence import NO_EVIDENCE, Evidence, read_evidence
from rewardsmith.report.run.extra_blocks import extra_blocks
from rewardsmith.report.run.markdown import limit_parts
from rewardsmith.report.run.page import render_page
from rewardsmith.report.run.sections.audit import token_view
from rewardsmith.report.run.sections.over_optimisation import fitted_curve
from rewardsmith.report.text import TEXTS
from rewardsmith.report.writing import write_report


def effect(name, status, value, ends):
    return {
        **{"name": name, "family": "length", "title": {"en": f"the {name}", "zh": f"该{name}"}, "status": status},
        **{"n": 600, "prompts": 300, "effect": 0.4, "effect_sd": value, "ci": ends, "bound": 0.1, "mde": 0.05},
        **{"flipped": 0.125, "p": 0.001, "p_adjusted": 0.004},
        "examples": [
            {"prompt": HOSTILE, "before": "short", "after": "longer", "reward_before": 1.0, "reward_after": 2.0}
        ],
    }


AUDIT = {
    "source": "test.jsonl",
    "prompts": 300,
    "effects": [effect("padding", "found", 0.5, [0.4, 0.6]), effect("lists", "excluded", 0.01, [-0.02, 0.04])],
    "best_of_n": {
        "prompts": 120,
        "curve": [{"n": n, "kl": 0.1 * n, "gold": 0.5 + 0.05 * n, "gold_ci": [0.4, 0.95]} for n in (1, 2, 4)],
        "recommended": {"n": 2, "kl": 0.19},
    },
    "policies": {
        "policies": 3,
        **{"ratings": 480, "prompts": 120},
        "curve": [
            {"kl": kl, "gold": gold, "gold_ci": [gold - 0.2, gold + 0.2]}
            for kl, gold in ((0.0, 1.0), (1.0, 3.0), (4.0, 3.61), (16.0, 3.45))
        ],
        **{"recommended": {"kl": 4.0}, "peak": {"kl": 4.0}},
        "fit": {
            "form": "d*(alpha-beta*ln(d))",
            "alpha": 2.0,
            "alpha_ci": [1.9, 2.1],
            "beta": 1.0,
            "beta_ci": [0.9, 1.1],
        }
        | {"largest_error": 0.07, "peak_kl": 7.389, "peak_kl_ci": [6.0, 9.0], "with_peak": 1.0},
    },
    "conformance": [
        {"name": "batch", "title": {"en": "batch size", "zh": "批大小"}, "status": "holds", "difference": 1e-7}
    ],
    "not_checked": [
        {"name": "language", "why": {"en": "one language", "zh": "单一语言"}, "bring": {"en": "more", "zh": "更多"}}
    ],
    "attribution": {
        "text": "good but sad end",
        "spans": [{"start": 0, "end": 4, "value": 0.9}, {"start": 9, "end": 12, "value": -0.3}],
        **{"method": "occlusion", "reward": 1.5},
    },
}
BENCHMARK = {
    **{"name": "rm-bench", "score": 0.7, "ci": [0.65, 0.75], "items": 400, "truncated": {"prompt": 3, "response": 0}},
    "sections": [{"name": "chat", "score": 0.8, "ci": [0.7, 0.9], "n": 100}, {"name": "code", "score": None, "n": 0}],
    "missing": ["safety"],
    "rule": "mean of four domains (utils.py)",
    "leaderboard": [
        {
            **{"section": "", "best": 2, "worst": 3, "of": 4, "place": "rank 2 to 3 of 4"},
            "published": [{"model": f"m{k}", "score": 0.9 - 0.1 * k, "source": "paper"} for k in range(3)],
        }
    ],
}


def blocks(evaluation=(), audit=(), lang="en"):
    return extra_blocks(Evidence(dict(evaluation), dict(audit)), TEXTS[lang], lang)


def test_what_was_not_measured_has_no_section():
    assert blocks() == []
    assert blocks({"benchmark": None}, {"effects": [], "best_of_n": None, "conformance": []}) == []


def test_every_section_is_there_in_both_languages():
    names = ["benchmark", "audit", "best-of-n", "policies", "tokens", "conformance"]
    for lang in ("en", "zh"):
        assert [block.name for block in blocks({"benchmark": BENCHMARK}, AUDIT, lang)] == names


def test_effects_have_their_sizes_intervals_and_what_was_not_measured():
    _, audit, *_ = blocks({"benchmark": BENCHMARK}, AUDIT)
    first, second = audit.tables[0].rows
    assert first[:5] == ("the padding", "found", "+0.50 [+0.40, +0.60]", "0.125", "0.0040")
    assert second[1] == "excluded"
    assert [group.title for group in audit.examples] == ["Examples of 1 effects"]
    assert any("one language" in line and "more" in line for line in audit.remarks)
    assert 'class="within"' in audit.plots[0].svg


def test_a_benchmark_shows_its_score_gaps_and_neighbours():
    (block,) = blocks({"benchmark": BENCHMARK})
    text = " ".join(block.lines)
    assert "0.700 [0.650, 0.750]" in text
    assert "safety" in text
    assert "3 prompts" in text
    assert [row[1] for row in block.tables[0].rows] == ["m0", "m1", "m2"]
    assert ">code<" not in block.plots[0].svg


def test_best_of_n_is_drawn_over_n_with_the_recommendation():
    block = next(one for one in blocks(audit=AUDIT) if one.name == "best-of-n")
    assert "N up to 2" in block.lines[0]
    assert {">1<", ">2<", ">4<"} <= set(re.findall(r">\d<", block.plots[0].svg))


def test_gold_ratings_of_policies_are_drawn_over_the_root_of_the_kl_with_their_fit():
    block = next(one for one in blocks(audit=AUDIT) if one.name == "policies")
    (plot,), (table,) = block.plots, block.tables
    assert "Stop at KL 4.00" in block.lines[0]
    assert table.rows[2] == ("4.00", "3.610 [3.410, 3.810]")
    places = [float(x) for x in re.findall(r'<circle[^>]* cx="([\d.]+)"', plot.svg)]
    steps = [after - before for before, after in pairwise(places)]
    assert [round(step / steps[0], 2) for step in steps] == [1.0, 1.0, 2.0]  # d is 0, 1, 2 and 4
    assert [key.label for key in plot.legend] == [
        "95 % interval",
        "fit d(α − β ln d), d = √KL",
        "gold rating",
        "KL to stop at",
    ]
    assert "3 policies and the initial one, 480 ratings" in plot.remarks[0]


def test_the_fit_of_policies_begins_at_the_initial_one_and_is_that_of_gao_et_al():
    curve = dict(fitted_curve({"alpha": 2.0, "beta": 1.0}, [(0.0, 1.0), (4.0, 3.45)]))
    assert curve[0.0] == 1.0
    assert curve[2.0] == pytest.approx(1 + 2 * (2 - math.log(2)))
    assert max(curve, key=curve.get) == pytest.approx(math.e, abs=4 / 60)  # exp(alpha / beta - 1)


def test_policies_without_intervals_have_no_band_and_no_word_of_what_is_shown():
    policies = AUDIT["policies"]
    bare = {
        **policies,
        "curve": [{**point, "gold_ci": None} for point in policies["curve"]],
        "fit": {**policies["fit"], "alpha_ci": None, "beta_ci": None, "peak_kl": None, "peak_kl_ci": [None, None]},
    }
    for lang, words in (("en", "Highest measured at KL 4.00"), ("zh", "测得的最高点在 KL 4.00")):
        (block,) = blocks(audit={"policies": bare}, lang=lang)
        assert words in block.lines[0]
        assert 'class="band' not in block.plots[0].svg
        assert TEXTS[lang]["policies_highest"] in [key.label for key in block.plots[0].legend]


def test_a_coloured_text_is_whole_and_its_colours_follow_the_values():
    view = token_view(AUDIT["attribution"], TEXTS["en"])
    assert "".join(piece.text for piece in view.pieces) == "good but sad end"
    assert [(piece.text, piece.level) for piece in view.pieces if piece.level] == [("good", 3), ("sad", -1)]


def test_hostile_texts_of_an_audit_stay_texts():
    audit = {**AUDIT, "source": HOSTILE, "attribution": {**AUDIT["attribution"], "text": HOSTILE}}
    facts = Facts(n=10, accuracy=0.7)
    outline = Outline(render_page(judge(facts), facts, evidence=Evidence({"benchmark": BENCHMARK}, audit)))
    assert outline.tags.count("script") == 1
    assert "img" not in outline.tags
    assert any("<script>alert(1)</script>" in text for text in outline.text)


def test_the_hashes_of_model_and_data_are_read(tmp_path):
    for path, text in (
        (
            "model/manifest.json",
            '{"model.safetensors": {"bytes": 3, "xxh3_128": "abc"}, "manifest.json": {"xxh3_128": "x"}}',
        ),
        ("data/data.json", '{"files": [{"file": "/home/someone/train.jsonl", "sha256": "def"}]}'),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    assert read_evidence(tmp_path).hashes == (("model/model.safetensors", "abc"), ("train.jsonl", "def"))
    assert read_evidence(tmp_path / "nothing").hashes == ()


def test_the_same_is_in_the_text_and_in_the_numbers(tmp_path):
    facts, evidence = Facts(n=10, accuracy=0.7), Evidence({"benchmark": BENCHMARK}, AUDIT)
    paths = write_report(judge(facts), facts, tmp_path, evidence=evidence)
    text, content = paths.markdown.read_text(encoding="utf-8"), json.loads(paths.json.read_text(encoding="utf-8"))
    assert "| the padding | found | +0.50" in text
    assert "0.700" in text
    assert "<script>" not in text
    assert content["benchmark"]["score"] == 0.7
    assert content["audit"]["effects"][0]["examples"] == 1
    assert HOSTILE not in json.dumps(content["audit"])
    assert "benchmark" not in write_report(judge(facts), facts, tmp_path / "bare").json.read_text(encoding="utf-8")


def test_what_stays_open_is_in_the_text_with_its_command():
    open_question = {"what": "bias", "why": "no audit", "bring": "rewardsmith audit runs/a data"}
    lines = limit_parts(
        {"could_establish": ["it learned"], "could_not": None, "not_checked": [open_question]}, TEXTS["en"]
    )
    assert "it learned" in lines[1]
    assert "`rewardsmith audit runs/a data`" in lines[2]
    assert limit_parts(dict.fromkeys(("could_establish", "could_not", "not_checked")), TEXTS["en"]) == []


def test_the_section_of_an_ensemble_has_its_figures_and_is_absent_without_members():
    measured = {
        "members": [{"accuracy": 0.61}, {"accuracy": 0.72}],
        "agreement": 0.8,
        **{"auroc": 0.66, "auroc_ci": [0.6, 0.71], "auroc_margin": 0.58, "auroc_margin_ci": [0.52, 0.64]},
        **{"nll_gain": 0.012, "nll_gain_ci": [0.003, 0.02]},
        "by_disagreement": {name: {"accuracy": 0.9, "accuracy_ci": [0.8, 0.95]} for name in ("low", "middle", "high")},
    }
    for lang in ("en", "zh"):
        (block,) = extra_blocks(replace(NO_EVIDENCE, evaluation={"disagreement": measured}), TEXTS[lang], lang)
        text = " ".join(block.lines)
        for figure in ("0.610", "0.720", "0.660 [0.600, 0.710]", "0.580 [0.520, 0.640]", "+0.0120 [+0.0030, +0.0200]"):
            assert figure in text
        assert block.plots[0].svg.count("0.900") >= 3
    assert extra_blocks(NO_EVIDENCE, TEXTS["en"], "en") == []
