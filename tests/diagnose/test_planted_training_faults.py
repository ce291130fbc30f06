"""The benchmark of planted training faults in its smallest form: some kinds, really run, through the code of its table."""

import json
import shutil
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from planted import drawing, judging, planting, scoring, tables  # noqa: E402
from planted.clean import CLEAN  # noqa: E402
from planted.kinds import KINDS  # noqa: E402
from planted.project import make_backbone  # noqa: E402

SHOWN = {
    "test_too_small": 6,
    "label_ties": 0.7,
    "perturbed_allowed": 0.8,
    "recovered_from_nan": 3,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A place for projects, with a backbone that was hardly trained: these faults need no better one."""
    folder = tmp_path_factory.mktemp("planted")
    make_backbone(folder / "backbone", prompts=60, epochs=1)
    return folder


@pytest.mark.parametrize("kind", SHOWN)
def test_the_fault_is_named_first_or_second_and_the_model_is_not_called_ready(root, kind):
    entry = planting.make(root, planting.Job("dev", kind, SHOWN[kind], 11))
    assert "failed" not in entry, entry
    answer = judging.ask(root, entry, ["--no-measure"])  # these are seen in the figures alone
    result = scoring.score(kind, answer["said"], scoring.expected()[kind])
    assert result.found, answer["said"]
    assert not result.wrongly_ready
    names = json.dumps([str(path.relative_to(root)) for path in (root / "dev" / entry["name"]).rglob("*")])
    assert kind not in names  # what is judged is what a user has: nothing there names the fault
    shutil.rmtree(root / "dev" / entry["name"])


def test_everything_that_is_planted_has_an_expectation_and_a_held_half_of_its_own():
    wanted = scoring.expected()
    assert wanted.keys() - {"confirmed_by"} == KINDS.keys()
    assert len(KINDS) >= 30
    for kind in KINDS:
        assert wanted[kind]["findings"], kind
        assert wanted[kind]["action"], kind
    dev, held = (
        {(job.kind, str(job.dose), job.seed) for job in planting.jobs_of((half,), None, None)}
        for half in ("dev", "held")
    )
    assert not dev & held
    assert not {seed for *_, seed in dev} & {seed for *_, seed in held}
    assert sum(one.held for one in CLEAN.values()) >= 73


def said(*ids, ready=False, action="", severity="critical"):
    findings = [{"id": one, "severity": severity} for one in ids]
    return {"findings": findings, "ready": ready, "next_action": action}


def test_only_the_first_two_urgent_findings_count():
    wanted = {"findings": ["reversed"], "action": ["labels"], "stops": True}
    assert scoring.score("k", said("a", "reversed", action="Look at the labels."), wanted).found
    late = scoring.score("k", said("a", "not_ready", "b", "reversed"), wanted)
    assert (late.found, late.right_action) == (False, False)
    assert not scoring.score("k", said("reversed", severity="info"), wanted).found
    assert scoring.score("k", said("reversed", severity="info"), {**wanted, "any_severity": True}).found


def test_ready_counts_against_the_verdict_only_where_the_fault_should_stop_it():
    wanted = {"findings": ["x"], "action": ["x"], "stops": True}
    assert scoring.score("k", said(ready=True), wanted).wrongly_ready
    assert not scoring.score("k", said(ready=None), wanted).wrongly_ready
    assert not scoring.score("k", said(ready=True), {**wanted, "stops": False}).wrongly_ready


def test_an_answer_that_is_an_error_names_nothing():
    wanted = {"findings": ["x"], "action": ["resume"], "stops": True}
    result = scoring.score("k", {"error": "no run folder"}, wanted)
    assert (result.found, result.right_action, result.error) == (False, False, "no run folder")


def test_the_interval_of_a_share_treats_members_of_a_kind_as_related():
    """Ten kinds of four: five wholly found, five not at all. All information is in ten coins, not in forty."""
    hits = [kind < 5 for kind in range(10) for _ in range(4)]
    related = scoring.share(hits, [str(kind) for kind in range(10) for _ in range(4)])
    single = scoring.share(hits, [str(number) for number in range(40)])
    assert related["value"] == single["value"] == 0.5
    width = related["ci95"][1] - related["ci95"][0]
    # Ratio estimator: variance = 10/9 * 10 * 2^2 / 40^2 = 1/36, size = 0.25 * 36 = 9; Wilson at 9 of p = 1/2:
    # half width = z / 9 * sqrt(9 / 4 + z^2 / 4) / (1 + z^2 / 9) = 0.2735.
    assert width / 2 == pytest.approx(0.2735, abs=1e-3)
    assert width > single["ci95"][1] - single["ci95"][0]


def test_where_all_agree_the_number_of_kinds_bounds_the_interval():
    share = scoring.share([True] * 30, [str(number % 10) for number in range(30)])
    assert share["ci95"][0] == pytest.approx(1 / (1 + 1.959964**2 / 10), abs=1e-3)  # Wilson's lower end of 10 of 10


def test_projects_are_drawn_in_one_random_order_with_real_sets_first_among_the_sound():
    whole = sorted(drawing.order_of(["unseen"]), key=lambda job: job.name)
    done = [*whole[:43], next(job for job in whole[43:] if str(job.dose).startswith("real"))]
    rest = drawing.order_of(["unseen"], {drawing.key_of_job(job) for job in done})
    assert (len(whole), len(rest)) == (167, 123)
    assert [job for job in rest if job.kind != "clean"] == [job for job in whole[43:] if job.kind != "clean"]
    sound = [job.dose.startswith("real") for job in rest if job.kind == "clean"]
    assert sound == sorted(sound, reverse=True)
    assert sum(sound) == 6  # one was among the first 43, one is done


def test_what_was_judged_is_known_by_the_keys_of_the_jobs():
    assert tables.judged(["unseen"]) <= {drawing.key_of_job(job) for job in drawing.order_of(["unseen"])}


def test_figures_of_two_parts_are_those_of_all_projects_and_a_newer_answer_counts():
    known = json.loads(tables.RESULT.read_text(encoding="utf-8"))["unseen"]
    parts = ("projects", "did_not_govern", "sound")
    first, second = ({name: known[name][start::2] for name in parts} for start in (0, 1))
    whole = tables.figures_from(*(known[name] for name in parts))
    found = tables.merged(first, second)
    for name in ("found", "right_action", "wrongly_ready", "false_alarms"):
        assert found[name] == whole[name]
    missed = {**known["projects"][0], "found": False}
    again = tables.merged(known, {"projects": [missed], "did_not_govern": [], "sound": []})
    assert again["found"]["hits"] == whole["found"]["hits"] - 1
    assert again["found"]["of"] == whole["found"]["of"]
