"""Ready for what: each condition alone keeps a use from a yes."""

from dataclasses import replace

import pytest
from tests.diagnose.test_verdict import BESIDE, GOOD

from rewardsmith.diagnose.facts import AuditEffect
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import MeasuredFacts
from rewardsmith.diagnose.verdict import judge

AUDITED = replace(GOOD, audit=(AuditEffect("padding", "length", "excluded", 0.0, Interval95(-0.05, 0.05), 500, 0.01),))


def ready(facts):
    return {use: found.ready for use, found in judge(facts).ready_for.items()}


def test_a_model_above_every_bar_is_ready_for_all():
    assert ready(AUDITED) == {"best_of_n": "yes", "dpo": "yes", "rl": "yes"}


def test_without_an_audit_rl_is_unknown():
    found = judge(GOOD).ready_for["rl"]
    assert found.ready == "unknown"
    assert "audit" in found.reasons[0].en


@pytest.mark.parametrize(
    ("accuracy", "low", "high", "expected"),
    [
        # The bars are 0.5 + {0.20, 0.33, 0.50} x 0.3 = 0.56, 0.599, 0.65 at the assumed ceiling of 0.8.
        (0.53, 0.505, 0.555, ("no", "no", "no")),
        (0.58, 0.565, 0.595, ("yes", "no", "no")),
        (0.62, 0.605, 0.635, ("yes", "yes", "no")),
        (0.65, 0.63, 0.67, ("yes", "yes", "unknown")),
    ],
)
def test_the_lower_end_of_the_interval_counts(accuracy, low, high, expected):
    beaten = tuple(replace(b, difference=0.1, difference_interval=Interval95(0.05, 0.15)) for b in GOOD.baselines)
    facts = replace(AUDITED, accuracy=accuracy, accuracy_interval=Interval95(low, high), baselines=beaten)
    assert tuple(ready(facts).values()) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"split": "train"},
        {"mismatch": "the rewards of 8 probes differ"},
        {"died": True},
        {"loss": 209.0, "loss_interval": Interval95(150.0, 260.0)},
        {"measured": MeasuredFacts(beside=replace(BESIDE, overlap={"same_pair": 200, "new": 1800}))},
        {"measured": MeasuredFacts(beside=BESIDE, model_error="weights are missing")},
        {"measured": MeasuredFacts(beside=BESIDE, contract_changed=("contract",))},
    ],
)
def test_a_fault_that_voids_the_figures_forbids_all(changes):
    assert set(ready(replace(AUDITED, **changes)).values()) == {"no"}


@pytest.mark.parametrize(
    "changes",
    [{"clusters": 12}, {"accuracy": None, "accuracy_interval": None}, {"baselines": ()}, {"measured": MeasuredFacts()}],
)
def test_what_is_not_measured_is_unknown(changes):
    assert set(ready(replace(AUDITED, **changes)).values()) == {"unknown"}


def test_what_stays_open_is_listed_with_its_command():
    verdict = judge(replace(GOOD, measured=MeasuredFacts(), clusters=12, place="runs/x"))
    told = {one.what.en: one.bring for one in verdict.not_checked}
    assert "few_prompts" in [finding.id for finding in verdict.findings if finding.urgent]
    assert "too few prompts" not in told  # it stands among the warnings already
    assert "overlap of test and training data" in told
    assert any(bring.startswith("rewardsmith diagnose runs/x") for bring in told.values())
