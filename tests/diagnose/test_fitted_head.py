"""When the advice is to start from a fitted head: only where `train` would then do something else."""

from dataclasses import replace

import pytest

from rewardsmith.diagnose.checks import learning, performance
from rewardsmith.diagnose.checks.data import differing
from rewardsmith.diagnose.checks.training import causes, diverging, fitted_head
from rewardsmith.diagnose.facts import BaselineFacts, CurvePoint, Facts
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import Figures, FittedHead, MeasuredFacts
from rewardsmith.pipelines.train.head import BY_ATTRIBUTE, OWN_REWARD, HeadSettings

HALF = Interval95(0.47, 0.53)
HEAD = FittedHead(
    2000, Figures(400, 400, 0.8, HALF, 0.4, HALF), Figures(400, 400, 0.5, HALF, 0.69, HALF), 0.3, Interval95(0.2, 0.4)
)
WEAK = Facts(
    accuracy=0.5,
    n=900,
    clusters=900,
    loss=0.69,
    train_loss=1.2,
    place="runs/a",
    baselines=(BaselineFacts("length", 0.6, 900, -0.1, Interval95(-0.15, -0.05)),),
    died=True,
    curve=tuple(CurvePoint(step, loss=40.0) for step in range(1, 31)),
    measured=MeasuredFacts(head=HEAD),
)
CHECKS = (causes.head_not_trained, learning.train_loss_above_chance, diverging.diverged, performance.baselines)


def test_the_heads_that_cannot_be_fitted_are_those_of_train():
    assert fitted_head.OF_OUTPUTS == OWN_REWARD


@pytest.mark.parametrize("check", CHECKS)
def test_a_new_scalar_head_is_fitted(check):
    found = check(replace(WEAK, settings={"head": {"name": "scalar"}, "head_start": "random", "epochs": 2}))
    assert "--head-start probe" in found.command


def test_the_heads_that_are_fitted_whole_are_those_without_columns():
    assert [name for name in fitted_head.FITTED_WHOLE if not HeadSettings(name=name).plain] == []
    assert not HeadSettings(name="quantile").plain


REFUSED = [
    {"noise": {"name": "co-teaching"}},
    {"freeze_layers": -1, "head": {"name": "gaussian"}},
    {"freeze_layers": -1, "loss": {"name": "bradley-terry", "smoothing": 0.1}},
]


@pytest.mark.parametrize(
    "settings", [{"head_start": "probe"}, {"head": {"name": "inform"}}, {"head": "inform"}, *REFUSED]
)
@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_advised_that_changes_nothing(check, settings):
    found = check(replace(WEAK, settings={"epochs": 2, **settings}))
    assert "--head-start" not in found.command
    assert "fitted head" not in found.action.en or "check" in found.action.en
    assert found.command


def test_a_frozen_run_with_the_plain_loss_is_fitted():
    plain = {"name": "bradley-terry", "smoothing": None}
    assert fitted_head.can_be_fitted(
        replace(WEAK, settings={"freeze_layers": -1, "loss": plain, "noise": {"name": "none"}})
    )


def test_labels_of_the_main_attribute_are_no_others_than_those_of_training():
    assert differing.WITH_MAIN == BY_ATTRIBUTE
    facts = Facts(attribute="helpful", settings={"attribute": "overall", "head": {"name": "gated"}})
    assert differing.attribute_parts(facts) == []
    assert differing.attribute_parts(replace(facts, settings={"attribute": "safe", "head": {"name": "gated"}}))
    assert differing.attribute_parts(replace(facts, settings={"attribute": "overall", "head": {"name": "scalar"}}))
