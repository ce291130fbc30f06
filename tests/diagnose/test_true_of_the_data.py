"""What is true of a small real set, and no fault of the run on it, is a note; each with a neighbour that is a warning."""

from dataclasses import replace

import numpy as np
import pytest
from tests.diagnose.test_verdict import BESIDE, GOOD, SIDE

from rewardsmith.diagnose.checks import calibration, leakage, shortcuts
from rewardsmith.diagnose.checks.data import differing, quality
from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import MeasuredFacts, Rule, beside_from
from rewardsmith.diagnose.verdict import judge
from rewardsmith.scoring.left_out import Affected, LeftOut, Reason
from short_facts import figures


def beside(**changes):
    return Facts(measured=MeasuredFacts(beside=replace(BESIDE, **changes)), place="runs/a")


# --- prompts like those of training


@pytest.mark.parametrize(
    ("overlap", "finding_id", "severity"),
    [
        ({"near_pair": 0, "near_prompt": 600, "new": 400}, "related_test", "info"),
        ({"near_pair": 0, "near_prompt": 49, "new": 951}, "few_test_in_training", "info"),
        ({"near_pair": 10, "near_prompt": 500, "new": 490}, "related_test", "info"),
        ({"near_pair": 60, "near_prompt": 0, "new": 940}, "near_test_in_training", "warning"),
        ({"near_pair": 300, "near_prompt": 0, "new": 700}, "near_test_in_training", "critical"),
        ({"same_pair": 20, "near_pair": 0, "near_prompt": 500, "new": 480}, "test_in_training", "warning"),
        ({"near_prompt": 300, "new": 700}, "near_test_in_training", "critical"),  # not told apart: by an older version
    ],
)
def test_prompts_like_those_of_training_are_a_note_where_the_responses_are_others(overlap, finding_id, severity):
    finding = leakage.overlap(beside(overlap=overlap))
    assert (finding.id, finding.severity) == (finding_id, severity)


def test_a_test_that_is_related_to_training_leaves_every_use_open_and_excludes_none():
    related = replace(BESIDE, overlap={"near_pair": 0, "near_prompt": 600, "new": 1400})
    verdict = judge(replace(GOOD, measured=MeasuredFacts(beside=related)))
    assert {use: found.ready for use, found in verdict.ready_for.items()} == dict.fromkeys(verdict.ready_for, "unknown")
    (finding,) = [finding for finding in verdict.findings if finding.id == "related_test"]
    assert "30.0 % of 2,000" in finding.evidence.en
    assert "30.0 %" in finding.evidence.zh


# --- a test of few prompts


@pytest.mark.parametrize(("low", "told"), [(0.02, False), (0.049, False), (0.05, True)])
def test_unknown_words_count_beyond_what_prompts_differ_by(low, told):
    own, judged = replace(SIDE, unknown_words=0.053), replace(SIDE, unknown_words=0.306)
    found = differing.test_differs(beside(training=own, judged=judged, more_unknown=Interval95(low, 0.5)))
    assert (found is not None) == told
    assert not told or "30.6 % of its words" in found.evidence.en


def test_nothing_is_called_another_kind_of_data_for_what_three_prompts_are_like():
    few = replace(SIDE, prompts=3, words=(50.0, 402.0, 500.0), unknown_words=0.3, languages={"en": 0.67, "ru": 0.33})
    assert differing.test_differs(beside(judged=few)) is None
    many = beside(judged=replace(few, prompts=60))
    for words in ("ru 33.0 %", "30.0 % of its words", "a median of 402 words"):
        assert words in differing.test_differs(many).evidence.en
    other = beside(judged=replace(few, languages={"ru": 1.0}))  # three of three: Wilson's low end is 43.9 %
    assert "ru 100.0 %" in differing.difference(other).evidence.en


@pytest.mark.parametrize(("lost", "told"), [(5, True), (6, False)])
def test_a_test_is_not_longer_than_training_where_training_could_not_take_the_long_texts(lost, told):
    longer = beside(judged=replace(SIDE, words=(50.0, 402.0, 500.0)))
    unused = Affected(100, 40, {"too_long": Reason(lost), "no_comparison": Reason(30)})
    found = differing.test_differs(replace(longer, left_out={"training data": LeftOut({"unused": unused})}))
    assert (found is not None) == told


def test_the_interval_of_unknown_words_is_read():
    row = {"new_words": {"judged": 0.3, "training": 0.1, "difference_ci": [0.12, 0.28]}}
    assert beside_from(row).more_unknown == Interval95(0.12, 0.28)
    assert beside_from({"new_words": {"judged": 0.3, "training": 0.1}}).more_unknown is None


# --- few prompts trained on


@pytest.mark.parametrize(
    ("prompts", "sample", "severity", "status"),
    [
        (14, None, "critical", "found"),
        (15, None, "info", "cannot_tell"),
        (59, 0.75, "info", "cannot_tell"),  # of 400: from 70.8 %, which is in the interval of the test
        (59, 0.90, "warning", "found"),  # from 87.1 %, above the test's 74 %
    ],
)
def test_few_prompts_are_a_warning_where_what_was_learned_stays_with_them(prompts, sample, severity, status):
    measured = replace(BESIDE, training=replace(SIDE, prompts=prompts), sample=sample and figures(sample))
    found = quality.narrow_data(replace(GOOD, measured=MeasuredFacts(beside=measured)))
    assert (found.severity, found.status) == (severity, status)
    assert judge(replace(GOOD, measured=MeasuredFacts(beside=measured))).ready is (
        None if severity == "info" else False
    )


def test_sixty_prompts_are_not_few():
    assert quality.narrow_data(beside(training=replace(SIDE, prompts=60))) is None


# --- simple features, length, calibration


@pytest.mark.parametrize(("low", "severity"), [(0.76, "info"), (0.80, "info"), (0.81, "warning")])
def test_simple_features_give_labels_away_where_they_know_them_better_than_a_second_annotator(low, severity):
    facts = replace(
        GOOD, measured=replace(GOOD.measured, rule=Rule(300, low + 0.05, Interval95(low, 0.95), ("length",)))
    )
    assert shortcuts.rule_in_data(facts).severity == severity
    assert judge(facts).ready is (None if severity == "info" else False)


def by_length(times):
    """31 of 48 right where the shorter, and 12 of 34 where the longer is preferred, `times` as many."""
    margin = np.array([1.0] * 31 + [-1.0] * 17 + [1.0] * 12 + [-1.0] * 22)
    margin, length = np.tile(margin, times), np.tile([-5.0] * 48 + [5.0] * 34, times)
    return Facts(compared=Compared(margin, np.ones(margin.size), margin, 0 * margin, length))


def test_a_gap_of_82_comparisons_by_length_may_be_chance_and_of_ten_times_as_many_is_none():
    once, often = shortcuts.length_bias(by_length(1)), shortcuts.length_bias(by_length(10))
    assert (once.id, once.severity) == ("length_bias_unknown", "info")
    assert once.numbers["gap"] == pytest.approx(12 / 34 - 31 / 48)
    assert once.numbers["high"] < -shortcuts.LENGTH_LEAST  # the interval of 95 % would have said so
    assert (often.id, often.severity) == ("length_shortcut", "critical")  # 35.3 % of 340 is less than half


@pytest.mark.parametrize(("ece", "severity"), [(0.121, "info"), (0.146, "info"), (0.148, "warning")])
def test_an_error_of_calibration_is_a_warning_well_beyond_the_limit_of_chance(ece, severity):
    facts = Facts(n=300, ece=ece, ece_noise_floor=0.065, ece_limit=0.097, temperature=1.12)
    left = replace(facts, ece_calibrated=ece, ece_calibrated_noise_floor=0.065, ece_calibrated_limit=0.097)
    found = calibration.calibration(left)
    assert (found.id, found.severity) == ("miscalibrated", severity)
