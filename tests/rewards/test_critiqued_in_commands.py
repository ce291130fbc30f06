"""A critiqued model in benchmarks, audit and calibration; and what is refused there, with why."""

import json

import numpy as np
import pytest

import rewardsmith as rs
from builders import tiny
from rewardsmith.audit.attribution import attribute
from rewardsmith.audit.biases.built_in import conversation
from rewardsmith.commands import audit, calibrate, evaluate, score
from rewardsmith.critique.critic import CritiqueSettings
from rewardsmith.critique.model import CritiqueModel
from rewardsmith.errors import ModelError, UsageError
from rewardsmith.model.language_head.weights import attach_language_head
from rewardsmith.pipelines.audit.scorer import SourceScorer
from rewardsmith.pipelines.benchmark.pipeline import evaluate_benchmark_by
from rewardsmith.rewards.critiqued import CritiquedRewards
from rewardsmith.rewards.opening import open_rewards
from rewardsmith.rewards.source import ScoredResponses

ROWS = [
    {
        "prompt": f"What is {n} plus {n}?",
        "chosen": f"It is {2 * n}.",
        "rejected": "I do not know that.",
        "subset": "ab"[n % 2],
    }
    for n in range(1, 9)
]


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tiny(max_length=320, head_scale=20.0)
    attach_language_head(made.network, None, learns=False)
    place = tmp_path_factory.mktemp("critiqued") / "model"
    CritiqueModel(made, CritiqueSettings(tokens=6)).save(place)
    return place


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_a_benchmark_is_scored_by_the_rewards_behind_critiques(folder, rows):
    config = evaluate.Config(model=str(folder), sources=(str(rows),), benchmark="custom", device="cpu")
    summary = evaluate.run(config).summary
    found = [one.rewards for one in open_rewards(folder, device="cpu").score(rs.load(str(rows)).records)]
    right = [float(values[0] > values[1]) + 0.5 * (values[0] == values[1]) for values in found]
    assert summary["benchmark"]["score"] == pytest.approx(np.mean(right))
    assert summary["contract"] == "critiqued"
    assert summary["critiques"]["critiques"] == 2 * len(ROWS)


class Unreadable:
    """A source that gives no reward to every second record."""

    kind = "judge"

    def score(self, records, *, rows=None, progress=None):
        values = ([1.0, 0.0], [1.0, np.nan])
        return [ScoredResponses(np.array(values[k % 2])) for k in range(len(records))]

    def counted(self):
        return {}


def test_items_without_a_reward_are_left_out_of_a_benchmark_and_counted(rows):
    evaluation, unreadable = evaluate_benchmark_by(Unreadable(), "custom", (str(rows),))
    assert unreadable == 0
    assert evaluation.summary["n"] == len(ROWS) // 2
    assert evaluation.summary["left_out"]["unused"]["count"] == len(ROWS) // 2


def test_an_audit_measures_effects_on_rewards_behind_critiques_and_says_why_there_is_no_conformance(
    folder, rows, tmp_path
):
    given = {"prompts": 2, "output": tmp_path / "audit", "explain": 1, "device": "cpu"}
    found = audit.run(audit.Config(model=str(folder), sources=(str(rows),), **given)).audit
    assert found.effects
    assert not found.conformance
    assert {each.name for each in found.not_checked} >= {"conformance"}
    assert len(read_jsonl(tmp_path / "audit" / "explained.jsonl")) == 2


def test_a_text_is_explained_by_occlusion_and_by_prefixes_it_cannot_be(folder):
    source = open_rewards(folder, device="cpu")
    found = attribute(
        None, SourceScorer(source, whole=False), conversation("What is 2 + 2?", "It is four."), 0, method="occlusion"
    )
    assert "".join(found.text[span.start : span.end] for span in found.spans) == "Itisfour."
    config = audit.Config(model=str(folder), text="It is four.", method="prefix", device="cpu")
    with pytest.raises(UsageError, match="--method prefix: the reward is not read at each token"):
        audit.run(config)


def test_a_text_that_is_cut_has_no_reward_where_whole_ones_are_asked_for(folder):
    source = open_rewards(folder, device="cpu")
    assert isinstance(source, CritiquedRewards)
    records = [conversation("Short?", "Yes."), conversation("Why? " * 100, "No.")]
    whole, any_length = SourceScorer(source, whole=True), SourceScorer(source, whole=False)
    assert [bool(np.isfinite(values[0])) for values in whole(records)] == [True, False]
    assert [bool(np.isfinite(values[0])) for values in any_length(records)] == [True, True]
    assert (whole.texts, whole.cut, whole.refused) == (2, 1, 0)


def test_a_calibration_is_stored_with_the_model_and_used_by_score_and_evaluate(folder, rows, tmp_path):
    data, output = "synthetic:40", tmp_path / "calibrated"
    with pytest.raises(ModelError, match="has no calibration"):
        score.run(
            score.Config(model=str(folder), source=str(rows), output=tmp_path / "s", calibrated=True, device="cpu")
        )
    given = {"sources": (data,), "overlap": "keep", "device": "cpu"}
    report = calibrate.run(
        calibrate.Config(model=str(folder), output=output, method=("length", "temperature"), **given)
    )
    assert report.stored == output / "reward.json"
    score.run(score.Config(model=str(output), source=str(rows), output=tmp_path / "s", calibrated=True, device="cpu"))
    row = read_jsonl(tmp_path / "s")[0]
    assert len(row["calibrated_rewards"]) == len(row["p_better"]) == 2
    assert sum(row["p_better"]) == pytest.approx(1.0)
    margin = row["calibrated_rewards"][0] - row["calibrated_rewards"][1]
    assert row["p_better"][0] == pytest.approx(float(report.calibration.probability(np.array(margin))))
    config = evaluate.Config(model=str(output), sources=(str(rows),), calibrated=True, device="cpu")
    assert evaluate.run(config).summary["calibrated"]["methods"] == ["length", "temperature"]


def test_what_cannot_be_audited_or_calibrated_is_refused_with_why(tmp_path):
    checks = tmp_path / "rewards.yaml"
    checks.write_text("kind: verifiable\nrewards:\n  - check: length\n    max: 10\n", encoding="utf-8")
    with pytest.raises(UsageError, match="columns that edited texts do not have"):
        audit.run(audit.Config(model=str(checks), sources=("synthetic:4",)))
    with pytest.raises(UsageError, match="no place for a calibration"):
        calibrate.run(calibrate.Config(model=str(checks), sources=("synthetic:4",)))
    judge = tmp_path / "judge.yaml"
    judge.write_text("kind: pairwise\nmodel: nowhere\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is a pairwise judge, whose rewards depend on the other responses"):
        audit.run(audit.Config(model=str(judge), sources=("synthetic:4",)))
