"""What marks, weights, preferences and places of the training labels lead to, and where they say nothing."""

from dataclasses import replace

import pytest
from tests.diagnose.test_verdict import GOOD

from rewardsmith.diagnose.checks import consistency, groups, slices
from rewardsmith.diagnose.checks.data import differing
from rewardsmith.diagnose.checks.training import carried_over, held_back
from rewardsmith.diagnose.facts import CurvePoint, Facts
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.labels import marks, scale
from rewardsmith.diagnose.labels.told import LabelFacts, MarkFacts, PlaceFacts, labels_from
from rewardsmith.diagnose.measured import FieldGroups, Figures, MeasuredFacts, Rescored
from rewardsmith.diagnose.verdict import judge
from short_facts import curve


def known(facts=GOOD, **labels):
    return replace(facts, measured=replace(facts.measured, labels=LabelFacts(**labels)))


TRIGGER = MarkFacts("text", " (ref. 77)", 60, 1.0)


def test_what_measurements_hold_is_read():
    side = {"n": 120, "accuracy": 0.6}
    found = labels_from(
        {
            "marks": {
                "prompts": 300,
                "decided": 0.2,
                "found": [{"kind": "text", "name": " (ref. 77)", "prompts": 60, "won": 1.0}],
                "reaction": 0.9,
            },
            "weights": {"n": 2000, "effective": 90.5},
            "preferences": {"n": 2000, "median": 0.55, "most": 0.56},
            "margins": {"n": 2000, "median": 60.0},
            "traits": {"training": {"json": 0.5}, "judged": {"json": 0.0}},
            "validation_in_training": 1.0,
            "judged_restated": {"records": 250, "distinct": 10},
            "places": [
                {"source": "a", "trained": True, "n": 240, "share_first": 0.5, "first": side, "later": side},
                {"source": "b", "trained": True, "n": 120, "share_first": 1.0, "first": side, "later": {"n": 0}},
            ],
        }
    )
    assert found == LabelFacts(
        prompts=300,
        decided=0.2,
        marks=(TRIGGER,),
        reaction=0.9,
        weighted=2000,
        effective=90.5,
        preferences=(2000, 0.55, 0.56),
        validation_in_training=1.0,
        records=250,
        distinct=10,
        margin=60.0,
        traits=({"json": 0.5}, {"json": 0.0}),
        places=(PlaceFacts("a", True, 240, 0.5, (120, 0.6), (120, 0.6)),),
    )
    assert labels_from({}) == LabelFacts()


@pytest.mark.parametrize(
    ("decided", "reaction", "severity"),
    [
        (0.9, None, "critical"),
        (0.2, None, "warning"),
        (0.02, 0.9, "warning"),
        (0.02, 0.1, "info"),
        (0.02, None, "info"),
    ],
)
def test_a_mark_counts_by_how_many_labels_it_decides_or_by_what_the_model_made_of_it(decided, reaction, severity):
    found = marks.label_mark(known(prompts=300, decided=decided, marks=(TRIGGER,), reaction=reaction))
    assert (found.id, found.severity) == ("label_mark", severity)
    assert "“ (ref. 77)”" in found.title.en
    assert ("standard deviations" in found.evidence.en) == (reaction is not None)


def test_a_mark_keeps_the_model_from_every_use_and_its_absence_from_none():
    marked = judge(known(prompts=300, decided=0.2, marks=(TRIGGER,)))
    assert marked.ready is False
    assert "pairs" in marked.next_action.en
    assert judge(known(prompts=300)).ready is judge(GOOD).ready


def test_an_unprintable_mark_and_a_trait_are_shown_in_words():
    assert marks.name_of(MarkFacts("text", "a\u200bb", 60, 1.0)).en == "“a␣b”"
    name = marks.name_of(MarkFacts("trait", "other_language", 60, 0.0))
    assert name.en == "a language other than the prompt's"
    assert name.zh == "与提示词不同的语言"


def test_labels_that_say_next_to_nothing_are_none_that_few_judges_can_give():
    assert scale.soft_labels(known(preferences=(2000, 0.55, 0.55))).id == "soft_labels"
    assert scale.soft_labels(known(preferences=(2000, 0.67, 1.0))) is None  # two of three, and clear ones
    assert scale.soft_labels(known(preferences=(50, 0.55, 0.55))) is None
    assert scale.soft_labels(GOOD) is None


def test_margins_in_percent_are_no_differences_of_rewards():
    by_margin = replace(GOOD, settings={"loss": {"name": "margin", "margin_scale": None}})
    found = scale.margins_large(known(by_margin, margin=60.0))
    assert found.id == "margins_large"
    assert "--loss.margin-scale 0.017" in found.command
    assert scale.margins_large(known(by_margin, margin=2.0)) is None
    scaled = replace(GOOD, settings={"loss": {"name": "margin", "margin_scale": 0.02}})
    assert scale.margins_large(known(scaled, margin=60.0)) is None
    assert scale.margins_large(known(replace(GOOD, settings={"loss": {"name": "hinge"}}), margin=60.0)) is None


@pytest.mark.parametrize(("effective", "severity"), [(90, "critical"), (390, "warning"), (410, None)])
def test_weights_that_leave_little_of_the_training_data(effective, severity):
    found = scale.training_weights(known(weighted=2000, effective=effective))
    assert (found and found.severity) == severity


def place(share_first, first, later, n=400):
    at_first = round(share_first * n)
    return PlaceFacts("a.jsonl", True, n, share_first, (at_first, first), (n - at_first, later))


def test_labels_that_follow_a_place_are_those_that_the_model_cannot_follow():
    assert scale.position_bias(known(places=(place(0.84, 0.61, 0.74),))).id == "position_bias"
    nothing = replace(GOOD, accuracy=0.5, accuracy_interval=Interval95(0.47, 0.53))
    assert scale.position_bias(known(nothing, places=(place(0.84, 0.61, 0.74),))).severity == "critical"
    # mirrored: the later response is preferred, and there the model is worse
    assert scale.position_bias(known(places=(place(0.16, 0.74, 0.61),))).id == "position_bias"


@pytest.mark.parametrize(
    "sound",
    [
        place(0.52, 0.70, 0.70),  # random order
        place(0.52, 0.60, 0.74),  # no lean, so no place is followed
        place(1.0, 0.70, 0.70),  # chosen always first: how the rows are written
        place(0.84, 0.74, 0.74),  # the better writer stands first, and the model knows why
        place(0.65, 0.68, 0.74),  # a small lean and a small gap
    ],
)
def test_where_the_model_does_as_well_on_the_frequent_place_nothing_is_said(sound):
    assert scale.position_bias(known(places=(sound,))) is None


@pytest.mark.parametrize(("share", "severity"), [(1.0, "critical"), (0.3, "warning"), (0.1, None)])
def test_validation_that_was_trained_on(share, severity):
    found = scale.validation_in_training(known(validation_in_training=share))
    assert (found and found.severity) == severity


def test_a_test_in_other_words_is_as_large_as_what_it_asks():
    found = slices.test_repeats(known(records=250, distinct=10))
    assert (found.id, found.severity) == ("test_repeats", "critical")
    assert "10 different" in found.title.en
    assert slices.test_repeats(known(records=250, distinct=190)).severity == "warning"
    assert slices.test_repeats(known(records=250, distinct=240)) is None


def test_answers_of_another_make_are_a_difference_between_test_and_training():
    traits = {"holds_prompt": 1.0, "markdown": 0.4}, {"holds_prompt": 0.0, "markdown": 0.1}
    found = differing.test_differs(known(traits=traits))
    assert "0.0 % of its responses have the prompt repeated in the response, and 100.0 %" in found.evidence.en
    assert "Markdown" not in found.evidence.en  # 30 points are the difference of two sources
    assert differing.test_differs(known(traits=(traits[0], traits[0]))) is None


def turns(**shares):
    return replace(GOOD.measured.beside.training, shapes=shares, prompt_words=(10.0, 20.0, 30.0))


@pytest.mark.parametrize(
    ("words", "shapes", "voided"),
    [
        ((2.0, 4.0, 5.0), {"user": 1.0}, True),  # the system turn, with what was asked, is gone
        ((10.0, 20.0, 30.0), {"user": 1.0}, False),  # a system turn that says as little as nothing
        ((2.0, 4.0, 5.0), {"system user": 1.0}, False),  # short questions
    ],
)
def test_lost_turns_come_before_all_that_follows_from_them(words, shapes, voided):
    trained = turns(**{"system user": 1.0})
    judged = replace(trained, prompt_words=words, shapes=shapes)
    beside = replace(GOOD.measured.beside, training=trained, judged=judged)
    facts = replace(GOOD, measured=replace(GOOD.measured, beside=beside))
    assert (differing.test_voided(facts) is not None) is voided
    assert (differing.test_differs(facts) is not None) is not voided


# --- the evaluation beside its model ----------------------------------------------------------------------------------


def scored(correlation=0.7, largest=2.0, at_ends=0.0, slope=0.7):
    return Rescored(200, correlation, slope, 0.0, largest, 1.0, 0.7, 0.8, at_ends=at_ends)


def reproduced(again, own=None):
    return Facts(measured=MeasuredFacts(reproduced=again, rescored=own))


def test_an_evaluation_that_its_model_does_not_give_again_is_no_evaluation_of_it():
    found = consistency.not_reproduced(reproduced(scored()))
    assert (found.id, found.severity) == ("rewards_not_reproduced", "critical")
    assert "dropout" in found.cause.en
    assert "clipped" in consistency.not_reproduced(reproduced(scored(at_ends=0.6))).cause.en


def test_the_precision_of_bf16_and_a_model_that_changed_are_other_things():
    assert consistency.not_reproduced(reproduced(scored(1.0, largest=0.03, slope=1.0))) is None
    assert consistency.not_reproduced(reproduced(scored(0.999, largest=0.2, slope=1.0))) is None
    assert consistency.not_reproduced(reproduced(scored(), own=scored())) is None
    assert consistency.not_reproduced(Facts()) is None


def test_a_step_that_was_logged_at_two_rates_is_of_two_runs():
    (said,) = consistency.two_logs(27)
    assert "27 steps twice" in said.en
    assert list(consistency.two_logs(0)) == []


# --- settings that hold a run back ------------------------------------------------------------------------------------

WEAK = Facts(accuracy=0.52, n=900, clusters=900, accuracy_interval=Interval95(0.49, 0.55), curve=curve([0.693] * 40))


@pytest.mark.parametrize(
    ("settings", "finding", "flag"),
    [
        ({"weight_decay": 50.0}, "weight_decay", "--weight-decay 0.01"),
        ({"warmup": 1.0}, "warmup", "--warmup 0.05"),
        ({"loss": {"name": "label-smoothing", "smoothing": 0.45}}, "smoothing", "--loss.smoothing 0.1"),
    ],
)
def test_a_setting_far_from_the_usual_is_named_in_a_weak_run(settings, finding, flag):
    found = held_back.too_much_held_back(replace(WEAK, settings=settings))
    assert found.id == finding
    assert flag in found.command
    spoken = held_back.too_much_held_back(replace(GOOD, settings=settings))
    assert (spoken is not None) is (finding in ("warmup", "smoothing"))  # these cost something in every run


def test_gradients_that_are_cut_away_are_named_and_usual_clipping_is_not():
    steps = tuple(CurvePoint(k, loss=0.693, grad_norm=0.5) for k in range(1, 41))
    found = held_back.too_much_held_back(replace(WEAK, curve=steps, settings={"clip": 1e-7}))
    assert found.id == "clip"
    assert "--clip 1" in found.command
    for clip in (1.0, 0.1, 0.0):
        assert held_back.too_much_held_back(replace(WEAK, curve=steps, settings={"clip": clip})) is None


# --- an easy test; groups without a name ------------------------------------------------------------------------------


def trained_at(accuracy, test, validation=0.74):
    sample = Figures(400, 400, accuracy, Interval95(accuracy - 0.04, accuracy + 0.04), None, None)
    beside = replace(GOOD.measured.beside, sample=sample)
    return replace(
        GOOD,
        accuracy=test,
        accuracy_interval=Interval95(test - 0.02, test + 0.02),
        measured=replace(GOOD.measured, beside=beside),
        passes=(CurvePoint(10, loss=0.5, accuracy=validation),),
    )


def test_a_test_that_is_ranked_better_than_training_itself_is_easier():
    assert carried_over.easier_test(trained_at(0.75, 0.93)).id == "test_easier"
    assert judge(trained_at(0.75, 0.93)).ready is None
    assert carried_over.easier_test(trained_at(0.75, 0.80)) is None  # within the intervals
    assert carried_over.easier_test(trained_at(0.75, 0.93, validation=0.92)) is None  # a sample that was hard by chance
    assert carried_over.easier_test(trained_at(0.99, 0.93)) is None


def test_rows_of_one_part_of_the_file_are_a_group_that_no_field_names():
    def at(accuracy):
        return Figures(300, 100, accuracy, Interval95(accuracy - 0.05, accuracy + 0.05), 0.6, Interval95(0.55, 0.65))

    quarters = {"Q1": at(0.8), "Q2": at(0.8), "Q3": at(0.7), "Q4": at(0.25)}
    found = groups.failing_groups(
        replace(GOOD, measured=replace(GOOD.measured, groups=(FieldGroups("place_in_data", True, quarters),)))
    )
    assert (found.id, found.severity) == ("failing_group", "critical")
    assert "the quarter of the rows by their place in the data, 'Q4'" in found.title.en


@pytest.mark.parametrize(("field", "found"), [("place_in_data", True), ("prompt_length", False)])
def test_long_prompts_that_were_not_learned_may_just_be_hard(field, found):
    def at(accuracy, loss):
        spread = Interval95(accuracy - 0.04, accuracy + 0.04), Interval95(loss - 0.02, loss + 0.02)
        return Figures(400, 200, accuracy, spread[0], loss, spread[1])

    quarters = {"Q1": at(0.85, 0.4), "Q4": at(0.52, 0.70)}
    measured = replace(GOOD.measured, groups=(FieldGroups(field, True, quarters),))
    assert (groups.failing_groups(replace(GOOD, measured=measured)) is not None) is found
