"""What curves, templates and an audit show, what counts as lost or few, and which finding leads the next step."""

from dataclasses import replace

import numpy as np
import pytest
from tests.diagnose.test_verdict import BESIDE, GOOD

from rewardsmith.diagnose.checks import model, shortcuts, slices
from rewardsmith.diagnose.checks.data import differing, quality
from rewardsmith.diagnose.checks.training import causes, curves
from rewardsmith.diagnose.facts import AuditEffect, BaselineFacts, CurvePoint, Facts
from rewardsmith.diagnose.finding import Said
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import (
    DataSide,
    Figures,
    MeasuredFacts,
    OtherTemplate,
    ShareOfWrong,
)
from rewardsmith.diagnose.parsing import audit_effects
from rewardsmith.diagnose.verdict import judge
from rewardsmith.scoring.left_out import Affected, LeftOut, Reason
from short_facts import curve, rows


def test_a_loss_that_is_back_at_its_start_in_each_epoch_lost_its_weights():
    falling = list(np.linspace(0.69, 0.45, 40))
    epochs = np.linspace(0.025, 3, 120)
    again = tuple(
        CurvePoint(k + 1, epoch=epoch, loss=loss)
        for k, (epoch, loss) in enumerate(zip(epochs, falling * 3, strict=True))
    )
    assert curves.falls_back(Facts(curve=again)).id == "weights_reset"
    one = tuple(replace(row, loss=loss) for row, loss in zip(again, np.linspace(0.69, 0.45, 120), strict=True))
    assert curves.falls_back(Facts(curve=one)) is None


@pytest.mark.parametrize(("fall", "severity"), [(0.02, "info"), (0.06, "warning")])
def test_a_small_fall_at_the_end_of_a_sound_run_asks_for_nothing(fall, severity):
    passes = curve([0.6, 0.5, 0.5 - fall])
    assert curves.underfit(Facts(passes=passes)).severity == severity


def test_more_steps_go_before_more_test_data():
    few = {
        "steps": 12,
        "settings": {"model": "tiny", "epochs": 1},
        "training": {"lr": 2e-3},
        "curve": curve([0.69] * 12),
    }
    facts = Facts(accuracy=0.58, n=60, clusters=60, loss=0.69, place="runs/a", **few)
    verdict = judge(facts)
    assert {"too_few_steps", "few_pairs"} <= {finding.id for finding in verdict.findings}
    assert "--epochs" in verdict.next_command


def test_another_template_that_ranks_better_is_found_beyond_its_interval():
    better = OtherTemplate("chatml", 300, 1.2, 0.12, Interval95(0.05, 0.19))
    assert model.other_template(Facts(measured=MeasuredFacts(templates=(better,)))).id == "other_template"
    open_ = replace(better, interval=Interval95(-0.01, 0.25))
    assert model.other_template(Facts(measured=MeasuredFacts(templates=(open_,)))) is None


def test_less_reward_for_agreeing_with_an_error_is_no_bias():
    row = {"name": "agrees_with_error", "status": "found", "effect_sd": -0.8, "ci": [-1.0, -0.6], "n": 40}
    (good,) = audit_effects({"effects": [row]})
    assert shortcuts.audited(Facts(audit=(good,))).id == "audit_excluded"
    (bad,) = audit_effects({"effects": [{**row, "effect_sd": 0.8, "ci": [0.6, 1.0]}]})
    assert shortcuts.audited(Facts(audit=(bad,))).severity == "critical"


def test_effects_are_named_in_the_language_of_the_verdict():
    words = Said("padded with filler", "添加填充内容")
    effect = AuditEffect("padding", "length", "found", 0.7, Interval95(0.5, 0.9), 100, 0.1, words)
    found = shortcuts.audited(Facts(audit=(effect,)))
    assert "padded with filler" in found.evidence.en
    assert "添加填充内容" in found.evidence.zh
    assert "padd" not in found.evidence.zh


def account(code, count):
    """Of 100 records, so many were not used for that reason."""
    return LeftOut({"unused": Affected(100, count, {code: Reason(count, ["d.jsonl:1"])})})


def test_records_that_nobody_judged_are_no_lost_data():
    lost = quality.left_out(Facts(left_out={"training data": account("not_scorable", 20)}))
    unjudged = quality.left_out(Facts(left_out={"training data": account("no_comparison", 20)}))
    most = quality.left_out(Facts(left_out={"training data": account("no_comparison", 40)}))
    assert (lost.severity, unjudged.severity, most.severity) == ("critical", "info", "warning")


@pytest.mark.parametrize(("lost", "severity"), [(14, "info"), (16, "warning")])
def test_what_validation_loses_is_in_no_figure(lost, severity):
    account_of = {"validation data": account("not_scorable", lost), "training data": account("not_scorable", 4)}
    assert quality.left_out(Facts(left_out=account_of)).severity == severity


def test_few_records_of_validation_do_not_show_that_the_test_is_other_data():
    passes = (CurvePoint(80, loss=0.68, accuracy=0.604),)
    facts = replace(GOOD, accuracy=0.397, accuracy_interval=Interval95(0.278, 0.528), loss=0.69, passes=passes)
    assert differing.test_differs(replace(facts, training=validation_of(600))).id == "test_differs"
    assert differing.test_differs(replace(facts, training=validation_of(53))) is None


def validation_of(records):
    return {"left_out_validation": {"unused": {"count": 1, "of": records + 1}}}


def test_labels_of_another_criterion_show_where_validation_is_as_good_as_training():
    sample = Figures(400, 400, 0.895, Interval95(0.86, 0.92), 0.27, None)
    passes = (CurvePoint(80, loss=0.3, accuracy=0.88),)
    facts = replace(
        GOOD,
        accuracy=0.78,
        accuracy_interval=Interval95(0.755, 0.804),
        passes=passes,
        measured=MeasuredFacts(beside=replace(BESIDE, sample=sample)),
    )
    assert "88.0 % on validation" in differing.test_differs(facts).evidence.en
    memorised = replace(facts, passes=(CurvePoint(80, loss=0.5, accuracy=0.8),), loss=0.5)
    assert differing.test_differs(memorised) is None
    by_loss = replace(memorised, loss=0.62, loss_interval=Interval95(0.57, 0.67))
    assert "0.500 on validation" in differing.test_differs(by_loss).evidence.en
    assert differing.test_differs(replace(by_loss, loss_interval=Interval95(0.55, 0.69))) is None


def test_the_loss_of_a_small_validation_is_no_sign_of_other_data():
    """300 pairs within 0.056 nats: 35 pairs vary by 0.056 x (300 / 35)^0.5 = 0.164, and both by 0.173, more than 0.129."""
    facts = replace(GOOD, n=300, clusters=300, loss=0.381, loss_interval=Interval95(0.325, 0.437), accuracy=0.84)
    facts = replace(facts, passes=(CurvePoint(80, loss=0.252, accuracy=0.9),), accuracy_interval=Interval95(0.79, 0.88))
    assert differing.test_differs(replace(facts, training=validation_of(35))) is None
    far = differing.test_differs(
        replace(facts, training=validation_of(35), loss=0.7, loss_interval=Interval95(0.644, 0.756))
    )
    assert "0.252 on validation" in far.evidence.en
    many = differing.test_differs(replace(facts, training=validation_of(3000)))  # 0.018 and 0.056: 0.129 - 0.059 > 0.06
    assert "0.252 on validation" in many.evidence.en


def test_most_labels_of_a_test_being_ties_is_a_warning():
    assert slices.label_ties(Facts(n=40, label_ties=60)).severity == "warning"
    assert slices.label_ties(Facts(n=70, label_ties=30)).severity == "info"


def test_the_next_step_is_the_cause_and_not_more_test_data():
    wrong = MeasuredFacts(beside=BESIDE, wrong=ShareOfWrong(900, 0.3, Interval95(0.1, 0.4), shown=True))
    open_ = (BaselineFacts("longer", 0.7, None, 0.02, Interval95(-0.01, 0.05)),)
    verdict = judge(replace(GOOD, measured=wrong, baselines=open_))
    assert {"label_noise", "baselines_open"} <= {finding.id for finding in verdict.findings if finding.urgent}
    assert "--label-noise" in verdict.next_command


def test_a_handful_of_steps_is_too_few_even_where_the_ranking_is_good():
    sample = Figures(400, 400, 0.85, Interval95(0.81, 0.88), 0.6, None)
    settings = {"model": "tiny", "epochs": 2, "head_start": "random"}
    facts = replace(
        GOOD,
        steps=4,
        settings=settings,
        training={"lr": 2e-3, "batch": 120},
        measured=MeasuredFacts(beside=replace(BESIDE, sample=sample)),
    )
    assert causes.too_few_steps(facts).id == "too_few_steps"
    assert judge(facts).ready is False
    assert causes.too_few_steps(replace(facts, settings={**settings, "head_start": "probe"})) is None
    assert causes.too_few_steps(replace(facts, steps=60)) is None


def test_a_consequence_never_leads_the_next_step():
    compared = rows([1.0] * 300 + [-1.0] * 100, np.array([1e4] * 4 + [1e-2] * 396))
    verdict = judge(replace(GOOD, compared=compared, passes=curve([0.7, 0.6, 0.5])))
    ids = [finding.id for finding in verdict.findings if finding.urgent]
    assert ids.index("few_rows_weigh") < ids.index("underfit")
    assert "inspect" in verdict.next_command


@pytest.mark.parametrize(
    ("words", "training", "advised"), [(90.0, 0, "evaluate"), (12.0, 0, "train"), (90.0, 40, "train")]
)
def test_test_dialogues_that_do_not_fit_are_another_kind_of_data_and_no_rows_to_mend(words, training, advised):
    """Only where the prompts differ, and the training data was used: else the rows, or the length, are at fault."""
    sides = (DataSide({}, (5.0, 9.0, 20.0), 300, 900, 0, 0.0, (length, length, length)) for length in (12.0, words))
    trained, judged = sides
    left = {"evaluated data": account("not_scorable", 50), "training data": account("not_scorable", training)}
    beside = replace(BESIDE, training=trained, judged=judged)
    found = quality.left_out(Facts(left_out=left, measured=MeasuredFacts(beside=beside), place="runs/a"))
    assert found.severity == "critical"
    assert found.command.split()[1] == advised
