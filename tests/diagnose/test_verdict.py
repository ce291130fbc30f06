import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rewardsmith.diagnose import verdict
from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import BaselineFacts, CurvePoint, Facts
from rewardsmith.diagnose.finding import SEVERITIES
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import BesideTraining, DataSide, MeasuredFacts
from rewardsmith.diagnose.reading import facts_from_mapping
from rewardsmith.diagnose.verdict import CHECKS, DECIDED_BY, LABELS, judge

SIDE = DataSide({"en": 1.0}, (5.0, 10.0, 20.0), 900, 2000, 0, 0.01)
BESIDE = BesideTraining({"new": 2000}, None, (), None, {"comparisons": 2000}, SIDE, SIDE)
GOOD = Facts(
    measured=MeasuredFacts(beside=BESIDE),
    split="test",
    n=2000,
    accuracy=0.72,
    accuracy_interval=Interval95(0.70, 0.74),
    loss=0.55,
    clusters=900,
    ece=0.02,
    ece_noise_floor=0.02,
    train_loss=0.58,
    baselines=(
        BaselineFacts("longer", 0.55, None, 0.17, Interval95(0.14, 0.20)),
        BaselineFacts("tfidf", 0.60, None, 0.12, Interval95(0.09, 0.15)),
        BaselineFacts("constant", 0.5, None, 0.22, Interval95(0.20, 0.24)),
    ),
)


def test_seventy_percent_without_n_cannot_be_judged():
    verdict = judge(facts_from_mapping({"train_loss": 0.9122, "val_loss": 0.5590, "val_acc": 0.7063}))
    assert verdict.label == "cannot_judge"
    assert verdict.ready is None
    assert verdict.headline.en == (
        "Cannot be judged without n and baselines; training loss 0.9122 is above chance level (ln 2 = 0.6931)."
    )
    assert "缺少比较数 n、基线" in verdict.headline.zh
    assert verdict.next_command.startswith("rewardsmith evaluate ")
    ids = {finding.id for finding in verdict.findings}
    assert {"no_sample_size", "no_baselines", "train_loss_above_chance", "loss_plausible"} <= ids
    assert not any(finding.severity == "good" for finding in verdict.findings)


def test_a_loss_of_ln_2_and_one_of_two_is_nothing_learned():
    verdict = judge(facts_from_mapping({"loss": 0.6930, "correct": 1, "n": 2}))
    assert verdict.label == "nothing_learned"
    assert verdict.ready is False
    assert verdict.headline.en.startswith("Nothing was learned: the loss is at ln 2")
    assert "9–91 %" in verdict.headline.en
    assert "9–91 %" in verdict.headline.zh


def test_a_clean_run_is_good_and_ready():
    verdict = judge(GOOD)
    assert (verdict.label, verdict.ready) == ("good", True)
    assert {finding.severity for finding in verdict.findings} == {"good"}
    assert verdict.headline.en == "Good: beats every measured baseline."
    assert "best-of-N" in verdict.next_action.en


def changed(**changes):
    return replace(GOOD, **changes)


def shortcut():
    margin = np.array([-1.0] * 80 + [1.0] * 20 + [1.0] * 100)
    length = np.array([-9.0] * 100 + [9.0] * 100)
    return Compared(margin, np.ones(200), margin, 0 * margin, length)


@pytest.mark.parametrize(
    ("facts", "label", "ready"),
    [
        (changed(curve=(CurvePoint(1, loss=float("nan")),)), "broken", False),
        (changed(tie_rate=0.9), "nothing_learned", False),
        (changed(accuracy=0.3, accuracy_interval=Interval95(0.28, 0.32)), "reversed", False),
        (changed(split="train"), "cannot_judge", False),
        (changed(accuracy=None, accuracy_interval=None), "cannot_judge", None),
        (changed(baselines=()), "cannot_judge", None),
        (changed(accuracy=0.99, accuracy_interval=Interval95(0.98, 1.0)), "suspicious", False),
        (
            changed(baselines=(BaselineFacts("longer", 0.75, None, -0.03, Interval95(-0.05, -0.01)),)),
            "no_better_than_baseline",
            False,
        ),
        (changed(baselines=(BaselineFacts("longer", 0.71, None, 0.01, Interval95(-0.02, 0.04)),)), "undecided", None),
        (changed(clusters=12), "undecided", None),
        (changed(compared=shortcut()), "shortcut", False),
        (changed(train_loss=0.9), "usable_with_care", True),
    ],
)
def test_each_label_is_reached(facts, label, ready):
    verdict = judge(facts)
    assert (verdict.label, verdict.ready) == (label, ready)


def test_findings_come_most_severe_first():
    verdict = judge(changed(train_loss=0.9, tie_rate=0.9, split="validation"))
    ranks = [SEVERITIES.index(finding.severity) for finding in verdict.findings]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 2


def test_a_run_of_which_nothing_is_known_is_not_judged():
    verdict = judge(Facts())
    assert (verdict.label, verdict.ready) == ("cannot_judge", None)
    assert verdict.next_action.en


def test_every_verdict_has_exactly_one_next_action_in_both_languages():
    for facts in (Facts(), GOOD, changed(tie_rate=0.9), changed(baselines=())):
        for language in ("en", "zh"):
            said = judge(facts).to_json(language)
            assert isinstance(said["next_action"], str)
            assert said["next_action"]


def test_the_tables_fit_together():
    assert set(DECIDED_BY.values()) <= set(LABELS)
    assert all(callable(check) for check in CHECKS)


def test_json_holds_the_promised_keys():
    said = judge(GOOD).to_json()
    old = {"verdict", "headline", "ready", "next_action", "findings"}
    assert old | {"ready_for", "next_command", "could_establish", "not_checked"} == set(said)
    for finding in said["findings"]:
        assert {"id", "severity", "evidence", "cause", "action"} <= set(finding)


def test_every_statement_of_the_verdict_is_written_in_both_languages():
    """Said("", "") is no statement; a statement with letters needs Chinese, or is a name such as TF-IDF."""
    folder = Path(verdict.__file__).parent
    calls = [
        (path.name, node)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Said"
    ]
    assert len(calls) > 100
    for name, call in calls:
        english, chinese = (literal(argument) for argument in call.args)
        place = f"{name}:{call.lineno}: {english!r}"
        assert bool(english.strip()) == bool(chinese.strip()), place
        if re.search("[a-z]{3}", english):
            assert re.search("[\u4e00-\u9fff]|zh", chinese), place


def literal(node):
    """The fixed pieces of an expression's texts, and the names `zh` that stand for Chinese ones."""
    pieces = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    pieces += ["zh" for n in ast.walk(node) if getattr(n, "attr", getattr(n, "id", "")).endswith("zh")]
    return " ".join(pieces) if pieces else "{}"
