"""Faults that the files, the data and the rows of a run show by themselves: each with a neighbour that is sound."""

from dataclasses import replace

import numpy as np
import pytest
from tests.diagnose.test_verdict import BESIDE, GOOD, SIDE

from rewardsmith.diagnose.checks import groups, leakage, learning, model, rewards, slices
from rewardsmith.diagnose.checks.consistency import disagreements
from rewardsmith.diagnose.checks.data import differing
from rewardsmith.diagnose.checks.training import diverging
from rewardsmith.diagnose.facts import CurvePoint, Facts, GroupFacts
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import (
    FieldGroups,
    Figures,
    MeasuredFacts,
    NotMeasured,
    Rescored,
)
from rewardsmith.diagnose.verdict import judge
from short_facts import curve, figures, rows

# --- a run that its loss ended


def test_a_run_whose_loss_left_all_bounds_is_told_to_lower_the_rate_and_not_to_resume():
    ended = Facts(died=True, place="runs/a", curve=curve([0.69] * 20 + [40.0] * 10), settings={"lr": 0.01})
    verdict = judge(ended)
    assert verdict.findings[0].id == "unstable"
    assert "--lr 0.001" in verdict.next_command
    assert "--resume" not in verdict.next_command
    killed = judge(replace(ended, curve=ended.curve[:21]))
    assert killed.findings[0].id == "run_died"
    assert "--resume" in killed.next_command


def test_a_first_loss_far_above_equal_rewards_is_the_heads_scale_and_not_the_rate():
    found = diverging.diverged(Facts(died=True, curve=curve([60.0, *[30.0] * 12])))
    assert found.id == "reward_scale"
    assert "--head-start probe" in found.command


def test_why_a_run_ended_and_its_best_validation_stand_in_the_finding():
    passes = (
        CurvePoint(10, loss=0.61, accuracy=0.7),
        CurvePoint(20, loss=0.55, accuracy=0.7),
        CurvePoint(30, loss=0.58),
    )
    found = model.run_died(Facts(died=True, ended="CUDA out of memory", curve=curve([0.6] * 30), passes=passes))
    assert "CUDA out of memory" in found.cause.en
    assert "0.5500" in found.evidence.en
    assert "step 20" in found.evidence.en


# --- what cannot be measured


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (NotMeasured("whether the saved model can be opened", "refused", name="model", failed=True), "unknown"),
        (NotMeasured("rewards", "the data is gone", name="rescored"), "unknown"),
        (NotMeasured("the share of wrong labels", "it broke", name="wrong_labels", failed=True), "unknown"),
        (NotMeasured("the share of wrong labels", "fewer than 100 labels", name="wrong_labels"), "yes"),
    ],
)
def test_a_measurement_that_is_refused_or_essential_keeps_a_model_from_ready(left, expected):
    facts = replace(GOOD, measured=replace(GOOD.measured, not_checked=(left,)))
    assert judge(facts).ready_for["best_of_n"].ready == expected


def test_texts_that_are_refused_now_are_another_template_or_tokenizer():
    refused = MeasuredFacts(refused=0.4, refusal="the pad token occurs in the text")
    found = model.contract_changed(Facts(measured=refused))
    assert found.severity == "critical"
    assert "40.0 %" in found.evidence.en
    assert model.contract_changed(Facts(measured=MeasuredFacts(refused=0.01))) is None


def test_a_model_of_unknown_origin_is_not_called_good():
    assert judge(GOOD).label == "good"
    facts = replace(GOOD, measured=replace(GOOD.measured, origin="unknown"))
    assert judge(facts).label == "undecided"
    assert "origin_unknown" in [finding.id for finding in judge(facts).findings]
    assert judge(replace(GOOD, measured=replace(GOOD.measured, origin="weights"))).label == "good"


def test_of_a_model_that_only_looks_alike_a_difference_alone_is_no_fault():
    other = Rescored(200, 0.5, 0.6, 0.1, 2.0, 1.0, accuracy_before=0.85, accuracy_now=0.84, by="alike")
    assert model.model_changed(Facts(measured=MeasuredFacts(rescored=other))) is None
    worse = replace(other, accuracy_now=0.7)
    assert "another one" in model.model_changed(Facts(measured=MeasuredFacts(rescored=worse))).cause.en
    assert model.model_changed(Facts(measured=MeasuredFacts(rescored=replace(other, by="named")))) is not None


# --- files that contradict each other

SETTINGS = {"lr": 1e-3, "epochs": 2, "batch": 8, "seed": 0}


def agreeing():
    compared = rows([1.0] * 70 + [-1.0] * 30)
    return Facts(
        settings=dict(SETTINGS), training={"finished": True}, steps=60, curve=curve([0.6] * 60), compared=compared
    ), {"n": 100, "accuracy": 0.7}


def test_files_of_one_run_do_not_contradict_each_other():
    facts, evaluation = agreeing()
    assert disagreements(facts, SETTINGS, evaluation) == ()
    assert model.files_disagree(facts) is None


def test_a_head_that_was_fitted_directly_took_no_steps_whatever_limit_was_given():
    facts, evaluation = agreeing()
    given = {**SETTINGS, "max_steps": 50, "head_start": "probe"}
    assert disagreements(replace(facts, settings=given), {**SETTINGS, "max_steps": 0}, evaluation) == ()
    edited = replace(facts, settings={**SETTINGS, "max_steps": 50})
    assert disagreements(edited, {**SETTINGS, "max_steps": 0}, evaluation) != ()


@pytest.mark.parametrize(
    ("changes", "settings", "evaluation", "told"),
    [
        ({"settings": {**SETTINGS, "lr": 5e-4}}, {}, {}, "lr is 0.0005 in config.yaml"),
        ({}, {"seed": 3}, {}, "seed is 0 in config.yaml and 3"),
        ({"curve": curve([0.6] * 50)}, {}, {}, "ends at step 50"),
        ({"curve": curve([0.6] * 60)[:20] + curve([0.6] * 60)[25:]}, {}, {}, "5 of 60 steps are missing"),
        ({}, {}, {"n": 120}, "counts 120 comparisons"),
        ({}, {}, {"accuracy": 0.8}, "gives the accuracy 0.8000"),
        # equal rewards are half right, 0.70, and were counted as wins
        ({"compared": rows([1.0] * 60 + [0.0] * 20 + [-1.0] * 20)}, {}, {"accuracy": 0.8}, "comparisons.jsonl 0.7000"),
    ],
)
def test_files_of_two_runs_are_told_apart_by_what_they_both_hold(changes, settings, evaluation, told):
    facts, own = agreeing()
    found = disagreements(replace(facts, **changes), {**SETTINGS, **settings}, {**own, **evaluation})
    assert told in " ".join(said.en for said in found)
    verdict = judge(replace(GOOD, disagreements=found))
    assert (verdict.label, verdict.ready) == ("broken", False)


# --- rewards and weights


@pytest.mark.parametrize(("kind", "expected"), [("bf16", "bf16"), ("fp16", "fp16"), ("fp32", "")])
def test_rewards_that_a_low_precision_can_hold_were_rounded_to_it(kind, expected):
    values = np.random.default_rng(0).normal(size=50).astype(np.float32)
    if kind == "bf16":
        values = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
    elif kind == "fp16":
        values = values.astype(np.float16).astype(np.float32)
    compared = rows(values.astype(np.float64))
    assert compared.rounded_to == expected
    found = rewards.coarse_rewards(Facts(compared=compared, tie_rate=0.0))
    assert (found.numbers["precision"] if found else "") == expected


def test_a_handful_of_rows_with_all_the_weight_counts_as_a_handful():
    weight = np.array([1e3] * 5 + [1e-2] * 95)
    compared = rows([1.0] * 100, weight)
    # (5e3 + 0.95)^2 / (5e6 + 95e-4)
    assert compared.effective == pytest.approx(5.0019, abs=1e-3)
    assert slices.few_rows_weigh(Facts(compared=compared)).id == "few_rows_weigh"
    assert slices.few_rows_weigh(Facts(compared=rows([1.0] * 100))) is None


def test_margins_that_only_a_temperature_mends_ask_for_one_and_not_for_fewer_epochs():
    margins = 20 * np.where(np.arange(400) % 10 < 8, 1.0, -1.0) * np.linspace(0.2, 2, 400)
    facts = Facts(
        accuracy=0.8,
        n=400,
        loss=float(np.logaddexp(0, -margins).mean()),
        loss_interval=Interval95(2.0, 5.0),
        compared=rows(margins),
        temperature=15.0,
    )
    found = learning.worse_than_constant(facts)
    assert found.command.startswith("rewardsmith calibrate")
    assert "--epochs" in learning.worse_than_constant(replace(facts, temperature=1.0)).command


# --- data


def beside(**changes):
    return Facts(measured=MeasuredFacts(beside=replace(BESIDE, **changes)), settings={"attribute": "overall"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"same_prompt": 0.4}, "one and the same prompt"),
        ({"prompt_words": (1.0, 2.0, 3.0)}, "prompts have a median of 2"),
        ({"shapes": {"user assistant user": 0.9, "user": 0.1}}, "[user assistant user]"),
    ],
)
def test_prompts_that_are_lost_or_of_another_shape_are_another_kind_of_data(changes, words):
    side = replace(SIDE, prompt_words=(5.0, 10.0, 20.0), shapes={"user": 1.0}, same_prompt=0.01)
    found = differing.test_differs(beside(training=side, judged=replace(side, **changes)))
    assert words in found.evidence.en
    assert differing.test_differs(beside(training=side, judged=side)) is None


def test_labels_of_another_attribute_are_another_kind_of_data():
    assert "'safe'" in differing.test_differs(replace(beside(), attribute="safe")).evidence.en
    assert differing.test_differs(replace(beside(), attribute="overall")) is None


def test_a_test_that_is_the_validation_data_is_never_ready():
    facts = replace(GOOD, measured=replace(GOOD.measured, validation_in_test=1.0))
    assert judge(facts).ready is False
    assert leakage.test_is_validation(replace(GOOD, measured=replace(GOOD.measured, validation_in_test=0.1))) is None


def test_repeated_test_rows_are_counted_once():
    found = slices.test_repeats(beside(judged_repeats={"comparisons": 1000, "repeated": 750}))
    assert "250" in found.evidence.en
    assert slices.test_repeats(beside(judged_repeats={"comparisons": 1000, "repeated": 50})) is None


def test_one_annotator_against_all_others_is_named():
    values = {"anna": figures(0.8), "ben": figures(0.82), "carl": figures(0.2)}
    facts = replace(GOOD, measured=replace(GOOD.measured, groups=(FieldGroups("annotator", True, values),)))
    found = groups.failing_groups(facts)
    assert "carl" in found.title.en
    assert judge(facts).ready is False
    sound = FieldGroups("annotator", True, {**values, "carl": figures(0.6)})
    assert groups.failing_groups(replace(facts, measured=MeasuredFacts(groups=(sound,)))) is None


def test_a_source_whose_labels_are_not_learned_where_the_others_are_is_named():
    learned = Figures(234, 39, 0.637, Interval95(0.556, 0.71), 0.653, Interval95(0.635, 0.671))
    not_learned = Figures(162, 27, 0.525, Interval95(0.42, 0.63), 0.719, Interval95(0.696, 0.741))
    values = {"data.jsonl": learned, "more.jsonl": not_learned}
    found = groups.failing_groups(
        Facts(accuracy=0.62, measured=MeasuredFacts(groups=(FieldGroups("source", True, values),)))
    )
    assert (found.severity, found.command.split()[1]) == ("warning", "inspect")
    assert "more.jsonl" in found.title.en
    judged = FieldGroups("source", False, values)
    assert groups.failing_groups(Facts(accuracy=0.62, measured=MeasuredFacts(groups=(judged,)))) is None
    near = {**values, "more.jsonl": replace(not_learned, loss=0.68, loss_interval=Interval95(0.66, 0.70))}
    assert groups.failing_groups(Facts(measured=MeasuredFacts(groups=(FieldGroups("source", True, near),)))) is None


def test_a_temperature_of_a_thousand_on_small_rewards_is_no_large_scale():
    facts = Facts(accuracy=0.62, n=600, accuracy_interval=Interval95(0.58, 0.66), reward_std=0.3, temperature=1341.0)
    assert rewards.reward_scale(facts) is None
    assert rewards.reward_scale(replace(facts, reward_std=3.0)).id == "reward_scale"


def test_among_many_groups_a_small_one_that_is_wrong_by_chance_is_no_finding():
    values = {f"g{k}": figures(0.8, 40) for k in range(20)} | {"odd": figures(0.32, 25)}
    facts = Facts(accuracy=0.78, measured=MeasuredFacts(groups=(FieldGroups("source", False, values),)))
    assert figures(0.32, 25).accuracy_interval.high < 0.51
    assert groups.failing_groups(facts) is None


def test_where_some_categories_are_right_the_others_are_the_finding_and_not_the_whole():
    split = (
        GroupFacts("tickets", 300, 0.2, Interval95(0.16, 0.25)),
        GroupFacts("drinks", 200, 0.8, Interval95(0.74, 0.85)),
    )
    facts = Facts(accuracy=0.44, n=500, accuracy_interval=Interval95(0.39, 0.47), by_category=split, clusters=300)
    assert slices.failing_categories(facts).id == "failing_category"
    assert learning.reversed_labels(facts) is None
    whole = replace(facts, accuracy=0.2, accuracy_interval=Interval95(0.17, 0.24), by_category=split[:1])
    assert learning.reversed_labels(whole).id == "reversed"
    assert slices.failing_categories(whole) is None


def test_just_below_one_half_is_no_reversal():
    facts = Facts(accuracy=0.455, n=600, accuracy_interval=Interval95(0.415, 0.496), clusters=200)
    assert learning.reversed_labels(facts) is None
    assert learning.learned(facts).id == "nothing_learned"
