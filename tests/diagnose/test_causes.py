"""Causes told apart: the same symptom with another measurement is another finding."""

import math
from dataclasses import replace

import pytest

from rewardsmith.diagnose.checks import leakage, model, rewards, shortcuts
from rewardsmith.diagnose.checks.data import differing
from rewardsmith.diagnose.checks.training import causes, curves
from rewardsmith.diagnose.facts import BaselineFacts, CurvePoint, Facts
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import (
    BesideTraining,
    DataSide,
    Figures,
    FittedHead,
    HundredPairs,
    MeasuredFacts,
    Rescored,
)
from rewardsmith.diagnose.verdict import judge

SIDE = DataSide({"en": 1.0}, (5.0, 10.0, 20.0), 900, 2000, 0, 0.02)


def figures(accuracy, loss, half=0.03):
    return Figures(
        400, 400, accuracy, Interval95(accuracy - half, accuracy + half), loss, Interval95(loss - 0.02, loss + 0.02)
    )


def beside(sample=None, **changes):
    return replace(BesideTraining({"new": 600}, None, (), sample, {"comparisons": 2000}, SIDE, SIDE), **changes)


CHANCE = Facts(
    split="test",
    n=900,
    clusters=900,
    accuracy=0.5,
    accuracy_interval=Interval95(0.47, 0.53),
    loss=0.6935,
    loss_interval=Interval95(0.690, 0.697),
    steps=300,
    settings={"model": "tiny", "epochs": 2},
    training={"lr": 0.002, "parameters": 99_000},
    curve=tuple(CurvePoint(step, loss=0.693 + 0.01 * (-1) ** step) for step in range(1, 301)),
    measured=MeasuredFacts(
        beside=beside(figures(0.51, 0.693)), hundred=HundredPairs(100, 400, 0.002, 0.98, 0.1), done=("data",)
    ),
)


def first(facts):
    return judge(facts).findings[0].id


def test_one_symptom_has_many_causes_and_each_is_named_first():
    assert first(CHANCE) == "labels_look_random"
    assert first(replace(CHANCE, training={"lr": 1e-7, "parameters": 99_000})) == "learning_rate_low"
    assert first(replace(CHANCE, training={"lr": 0.5, "parameters": 99_000})) == "learning_rate_high"
    assert first(replace(CHANCE, steps=5, curve=CHANCE.curve[:5])) == "too_few_steps"
    assert first(replace(CHANCE, settings={**CHANCE.settings, "weight_decay": 50.0})) == "weight_decay"
    unfit = replace(CHANCE.measured, hundred=HundredPairs(100, 400, 0.002, 0.55, 0.69))
    assert first(replace(CHANCE, measured=unfit)) == "cannot_fit"
    learned = {"accuracy": 0.63, "accuracy_interval": Interval95(0.6, 0.66), "loss": 0.66}
    unblamed = replace(CHANCE, measured=unfit, loss_interval=Interval95(0.65, 0.67), **learned)
    assert "cannot_fit" not in {one.id for one in judge(unblamed).findings}
    head = FittedHead(2000, figures(0.8, 0.4), figures(0.5, 0.69), 0.3, Interval95(0.25, 0.35))
    assert first(replace(CHANCE, measured=replace(CHANCE.measured, head=head))) == "head_not_trained"


def test_a_head_on_frozen_layers_is_judged_by_what_a_head_can_do():
    """That a fitted head ranks 100 pairs right says nothing of their labels: it would rank them in any order."""
    frozen = replace(CHANCE, settings={**CHANCE.settings, "freeze_layers": -1, "lr": 2e-3})
    able = HundredPairs(100, 0, 0.0, 1.0, 0.01, exact=True)
    verdict = judge(replace(frozen, measured=replace(CHANCE.measured, hundred=able)))
    ids = {one.id for one in verdict.findings}
    assert not {"cannot_fit", "labels_look_random", "label_noise"} & ids
    assert (verdict.label, "--freeze-layers 0" in verdict.next_command) == ("nothing_learned", True)
    learned = replace(frozen, accuracy=0.6, accuracy_interval=Interval95(0.57, 0.63))
    assert causes.labels_look_noisy(replace(learned, measured=replace(CHANCE.measured, hundred=able))) is None
    unable = replace(able, accuracy=0.6, loss=0.67)
    found = causes.cannot_fit(replace(frozen, measured=replace(CHANCE.measured, hundred=unable)))
    assert "frozen" in found.title.en
    assert "steps" not in found.evidence.en


def test_a_run_that_was_killed_early_is_not_told_to_take_more_steps():
    short = replace(CHANCE, steps=5, curve=CHANCE.curve[:5])
    ids = {one.id for one in judge(replace(short, died=True)).findings}
    assert "run_died" in ids
    assert "too_few_steps" not in ids


def test_a_higher_rate_is_never_advised_at_a_rate_that_is_high():
    verdict = judge(replace(CHANCE, training={"lr": 0.5, "parameters": 99_000}))
    assert "--lr 0.002" in verdict.next_command


def test_no_setting_is_blamed_in_a_run_that_went_well():
    good = replace(
        CHANCE,
        accuracy=0.8,
        accuracy_interval=Interval95(0.77, 0.83),
        loss=0.45,
        loss_interval=Interval95(0.4, 0.5),
        training={"lr": 0.05, "parameters": 99_000},
        curve=tuple(CurvePoint(step, loss=0.69 * 0.99**step) for step in range(1, 301)),
        measured=MeasuredFacts(beside=beside(figures(0.82, 0.42))),
    )
    assert causes.learning_rate_high(good) is None
    assert causes.labels_look_random(good) is None


def test_memorised_is_told_from_a_test_of_another_kind():
    memorised = replace(CHANCE, accuracy=0.55, accuracy_interval=Interval95(0.52, 0.58), loss=0.9)
    memorised = replace(memorised, measured=MeasuredFacts(beside=beside(figures(0.99, 0.03))))
    assert curves.memorised(memorised).severity == "warning"
    above = replace(memorised, loss_interval=Interval95(0.8, 1.0))
    assert curves.memorised(above).severity == "critical"
    carried_over = replace(memorised, passes=(CurvePoint(10, loss=0.1, accuracy=0.97),), best_step=10)
    assert curves.memorised(carried_over) is None
    assert differing.test_differs(carried_over).id == "test_differs"


@pytest.mark.parametrize(
    ("overlap", "finding_id", "severity"),
    [
        ({"new": 1000}, "overlap_excluded", "good"),
        ({"same_pair": 20, "new": 980}, "test_in_training", "warning"),
        ({"same_pair": 100, "new": 900}, "test_in_training", "critical"),
        ({"near_prompt": 60, "new": 940}, "near_test_in_training", "warning"),
        ({"near_prompt": 10, "new": 990}, "few_test_in_training", "info"),
        ({"same_prompt": 1, "new": 99_999}, "few_test_in_training", "info"),
    ],
)
def test_overlap_by_its_share(overlap, finding_id, severity):
    finding = leakage.overlap(Facts(measured=MeasuredFacts(beside=beside(overlap=overlap))))
    assert (finding.id, finding.severity) == (finding_id, severity)


def test_few_prompts_of_the_training_data_are_told_with_the_figures_without_them():
    of = {"near_prompt": 120, "new": 4464}
    found = replace(beside(overlap=of), new=figures(0.71, 0.6), examples=("a:1 = b:2",))
    finding = leakage.overlap(Facts(measured=MeasuredFacts(beside=found)))
    assert finding.status == "found"
    for told in (
        "120 of 4,584",
        "2.6 %",
        "120 nearly the same (for example a:1 = b:2)",
        "On the 400 new ones",
        "71.0 %",
    ):
        assert told in finding.evidence.en
    for told in ("120", "4,584", "2.6 %", "71.0 %", "a:1 = b:2"):
        assert told in finding.evidence.zh
    without = leakage.overlap(Facts(measured=MeasuredFacts(beside=beside(overlap=of))))
    assert "for example" not in without.evidence.en
    assert "new ones" not in without.evidence.en


def test_no_overlap_is_only_said_of_none():
    finding = leakage.overlap(Facts(measured=MeasuredFacts(beside=beside(overlap={"new": 50}))))
    assert (finding.status, finding.evidence.en.split(" judged")[0]) == ("excluded", "None of 50")


@pytest.mark.parametrize(
    ("rescored", "pattern"),
    [
        (Rescored(200, 0.05, 0.1, 0.0, 3.0, 1.0, 0.8, 0.5), "unrelated"),
        (Rescored(200, -1.0, -1.0, 0.0, 3.0, 1.0, 0.8, 0.2), "unrelated"),
        (Rescored(200, 0.999, 2.0, 0.0, 3.0, 1.0, 0.8, 0.8), "scaled"),
        (Rescored(200, 1.0, 1.0, 0.7, 0.7, 1.0, 0.8, 0.8), "offset"),
        (Rescored(200, 0.8, 0.9, 0.0, 1.0, 1.0, 0.8, 0.7), "different"),
    ],
)
def test_how_a_changed_model_differs(rescored, pattern):
    finding = model.model_changed(Facts(measured=MeasuredFacts(rescored=rescored)))
    assert finding.numbers["pattern"] == pattern


def test_the_precision_of_the_machine_is_no_changed_model():
    assert (
        model.model_changed(Facts(measured=MeasuredFacts(rescored=Rescored(200, 1.0, 1.0, 0.0, 1e-6, 1.0, 0.8, 0.8))))
        is None
    )


@pytest.mark.parametrize(
    ("training", "settings", "rate"),
    [
        ({"lr": 0.01, "parameters": 99_000}, {"model": "tiny"}, "0.001"),
        ({"lr": 1e20, "parameters": 99_000}, {"model": "tiny"}, "0.002"),
        ({}, {"model": "org/name", "lr": 1e-4}, "1e-05"),
        ({}, {"model": "org/name"}, "5e-06"),
    ],
)
def test_a_run_that_a_loss_without_a_number_stopped_is_trained_again_with_a_lower_rate(training, settings, rate):
    curve = (CurvePoint(1, loss=0.7, learning_rate=5e-5), CurvePoint(2, loss=math.nan, learning_rate=5e-5))
    facts = Facts(died=True, place="runs/a", curve=curve, training=training, settings=settings)
    verdict = judge(facts)
    assert (verdict.label, verdict.findings[0].id) == ("broken", "not_finite")
    assert f"--output runs/a-again --lr {rate} --dtype fp32" in verdict.next_command
    assert "--resume" not in verdict.next_command
    assert "the run stopped there" in verdict.findings[0].evidence.en
    killed = judge(replace(facts, curve=(*curve, CurvePoint(3, loss=0.7))))
    assert "run_died" in [finding.id for finding in killed.findings]


def test_a_head_times_a_millionth_is_a_scale_and_not_a_constant():
    tiny = Facts(accuracy=0.857, n=600, accuracy_interval=Interval95(0.83, 0.88), reward_std=1e-6, loss=0.6931)
    assert rewards.constant_rewards(tiny) is None
    assert rewards.reward_scale(tiny).title.en == "the rewards are far too small"


def test_a_rule_is_followed_where_the_model_is_wrong_with_it():
    led, misled = figures(0.97, 0.1), figures(0.1, 2.0)
    rule = BaselineFacts("shortcuts", 0.9, None, 0.01, Interval95(-0.01, 0.03), "", None, led, misled, 0.95)
    facts = Facts(accuracy=0.9, n=900, baselines=(rule,))
    assert shortcuts.rule_followed(facts).id == "simple_shortcut"
    alike = replace(rule, leads=figures(0.9, 0.2), misleads=figures(0.85, 0.3), agreement=0.8, accuracy=0.55)
    assert shortcuts.rule_followed(replace(facts, baselines=(alike,))) is None
