"""What outranks what: a spike that the run recovered from, and a short run beside a category that fails."""

from dataclasses import replace

import pytest

from rewardsmith.diagnose.checks.training import curves
from rewardsmith.diagnose.facts import CurvePoint, Facts, GroupFacts
from rewardsmith.diagnose.verdict import judge


def train(*losses):
    return tuple(CurvePoint(step, loss=loss) for step, loss in enumerate(losses, start=1))


FALLING = [0.69 - 0.001 * step for step in range(300)]
LEARNED = Facts(accuracy=0.83, n=4000, clusters=4000)


@pytest.mark.parametrize(
    ("losses", "severity"),
    [
        ([*FALLING[:150], 2.0, *FALLING[151:]], "info"),
        ([*FALLING[:270], 2.0, *FALLING[271:]], "warning"),  # fewer than 50 rows follow
        ([*FALLING[:150], 2.0, *(loss + 0.2 for loss in FALLING[151:])], "warning"),  # it stays higher
        ([*FALLING[:150], 2.0, 2.0, 2.0, 2.0, *FALLING[154:]], "warning"),  # more than one row in a hundred
    ],
)
def test_a_rare_spike_that_the_run_recovered_from_forbids_nothing(losses, severity):
    facts = replace(LEARNED, curve=train(*losses))
    assert curves.unstable(facts).severity == severity
    assert curves.unstable(replace(facts, accuracy=0.5)).severity != "info"


def test_a_category_that_fails_beside_others_that_do_not_comes_before_few_steps():
    settings = {"model": "tiny", "lr": 1e-3, "epochs": 1}
    short = Facts(accuracy=0.5, n=6000, clusters=6000, curve=train(*[0.69] * 5), settings=settings)
    groups = (GroupFacts("drinks", 3000, 0.2), GroupFacts("tickets", 3000, 0.8))
    for facts, first in ((short, "too_few_steps"), (replace(short, by_category=groups), "failing_category")):
        verdict = judge(facts)
        assert next(found.id for found in verdict.findings if found.urgent) == first
    assert "inspect" in verdict.next_command
    assert "too_few_steps" in [found.id for found in verdict.findings]
