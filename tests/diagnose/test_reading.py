import json
import math

import pytest

from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.reading import facts_from_folder, facts_from_mapping
from rewardsmith.errors import DataError


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json").replace("_lines", ".jsonl")
        path.parent.mkdir(exist_ok=True, parents=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return folder


def lines(*rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"


def test_the_three_figures_of_a_training_log_are_enough():
    facts = facts_from_mapping({"train_loss": 0.9122, "val_loss": 0.5590, "val_acc": 0.7063})
    assert (facts.train_loss, facts.loss, facts.accuracy) == (0.9122, 0.5590, 0.7063)
    assert (facts.n, facts.interval, facts.split) == (None, None, "validation")


def test_the_limits_of_the_calibration_error_are_read():
    names = (
        "ece",
        "ece_noise_floor",
        "ece_limit",
        "ece_calibrated",
        "ece_calibrated_noise_floor",
        "ece_calibrated_limit",
    )
    figures = {name: 0.01 * at for at, name in enumerate(names, start=1)}
    facts = facts_from_mapping(figures)
    assert {name: getattr(facts, name) for name in names} == figures
    assert facts.unread == ()


def test_correct_of_n_is_an_accuracy():
    assert facts_from_mapping({"correct": 3, "n": 4}).accuracy == 0.75


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"accuracy": 70.63}, "expected a share"),
        ({"accuracy": "0.7"}, "expected a number"),
        ({"n": 2.5}, "expected an integer"),
        ({"n": -1}, "expected an integer"),
        ({"accuracy_ci": 0.1}, "expected \\[low, high\\]"),
        ({"baselines": 3}, "expected an object"),
        ({"correct": 3, "n": 2}, "expected at most n"),
        ({"accuracy": True}, "expected a number"),
    ],
)
def test_figures_that_cannot_be_are_refused(figures, message):
    with pytest.raises(DataError, match=message):
        facts_from_mapping(figures)


def test_null_and_unknown_figures_are_no_figures_and_are_named():
    facts = facts_from_mapping({"accuracy": None, "n": 5, "accuracy_ci": [None, None], "fluffiness": 3})
    assert facts.accuracy is None
    assert facts.accuracy_interval is None
    assert facts.unread == ("fluffiness",)


def test_an_evaluation_is_read_whole(tmp_path):
    evaluation = {
        "n": 10,
        "accuracy": 0.7,
        "accuracy_ci": [0.4, 0.9],
        "nll": 0.6,
        "baselines": {
            "longer": {"accuracy": 0.5, "difference": 0.2, "difference_ci": [0.1, 0.3]},
            "tfidf": {"accuracy": None},
        },
        "by_category": {"安全": {"n": 4, "accuracy": 0.5}, "empty": {"n": 0, "accuracy": None}},
        "by_difficulty": {"turns": [{"label": "1", "n": 10, "accuracy": 0.7, "accuracy_ci": [0.4, 0.9]}]},
        "reliability": {"raw": [{"confidence": 0.6, "accuracy": 0.5, "n": 10, "low": 0.2, "high": 0.8}]},
        "split": "test",
    }
    facts = facts_from_folder(write(tmp_path, evaluation_json=evaluation))
    assert [b.name for b in facts.baselines] == ["longer"]
    assert facts.baselines[0].difference_interval == Interval95(0.1, 0.3)
    assert [(g.label, g.n) for g in facts.by_category] == [("安全", 4)]
    assert facts.by_difficulty["turns"][0].interval == Interval95(0.4, 0.9)
    assert facts.reliability[0].interval == Interval95(0.2, 0.8)
    assert facts.notes == ("comparisons.jsonl is missing",)
    facts = facts_from_folder(write(tmp_path, metrics_jsonl=lines({"step": 1, "loss": 0.7})))
    assert "train.json is missing" in facts.notes


def test_a_resumed_run_counts_each_step_once_and_the_later_row(tmp_path):
    rows = lines(
        {"step": 1, "loss": 0.7}, {"step": 2, "loss": 9.0}, {"step": 2, "loss": 0.6}, {"step": 2, "eval_loss": 0.65}
    )
    facts = facts_from_folder(write(tmp_path, metrics_lines=rows))
    assert [(p.step, p.loss) for p in facts.curve] == [(1, 0.7), (2, 0.6)]
    assert [(p.step, p.loss) for p in facts.passes] == [(2, 0.65)]


def test_a_null_loss_is_a_loss_that_was_not_finite(tmp_path):
    facts = facts_from_folder(write(tmp_path, metrics_lines=lines({"step": 1, "loss": None})))
    assert math.isnan(facts.curve[0].loss)
    assert facts.curve[0].grad_norm is None


def test_without_an_evaluation_the_kept_checkpoint_speaks(tmp_path):
    rows = lines(*({"step": s, "eval_loss": loss, "eval_accuracy": 0.6} for s, loss in ((1, 0.6), (2, 0.5), (3, 0.7))))
    facts = facts_from_folder(write(tmp_path, metrics_lines=rows, train_json={"best_step": 2, "train_loss": 0.4}))
    assert (facts.loss, facts.split, facts.train_loss) == (0.5, "validation", 0.4)


def test_an_interrupted_last_line_is_noted_and_any_other_is_refused(tmp_path):
    cut = lines({"step": 1, "loss": 0.7}) + '{"step": 2, "lo'
    facts = facts_from_folder(write(tmp_path, metrics_lines=cut))
    assert len(facts.curve) == 1
    assert any("metrics.jsonl:2 is truncated" in note for note in facts.notes)
    with pytest.raises(DataError, match=r"metrics.jsonl:1 is not JSON"):
        facts_from_folder(write(tmp_path, metrics_lines='{"st\n' + lines({"step": 2, "loss": 1.0})))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="contains none of"):
        facts_from_folder(tmp_path)
    with pytest.raises(DataError, match="no run folder"):
        facts_from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["[1]", "{", '{"accuracy": 70}'])
def test_a_damaged_evaluation_is_refused(tmp_path, content):
    with pytest.raises(DataError):
        facts_from_folder(write(tmp_path, evaluation_json=content))


def test_damaged_settings_are_refused_in_one_line(tmp_path):
    write(tmp_path, evaluation_json={"n": 1})
    (tmp_path / "config.yaml").write_text("a: [1\nb: 2")
    with pytest.raises(DataError, match="is not YAML") as error:
        facts_from_folder(tmp_path)
    assert "\n" not in str(error.value)


def test_the_data_reports_are_read_in_both_shapes(tmp_path):
    write(tmp_path, evaluation_json={"n": 1}, data__prepare_json={"rows": 100, "quarantined": 7, "removed": 1})
    write(tmp_path, data__quality_json={"findings": {"mojibake": {"count": 3, "examples": [1]}, "none": 0}})
    facts = facts_from_folder(tmp_path)
    assert (facts.data.rows, facts.data.quarantined) == (100, 7)
    assert [(f.check, f.count) for f in facts.data.findings] == [("mojibake", 3)]
    write(tmp_path, data__quality_json={"findings": [{"check": "empty", "examples": ["a", "b"]}]})
    assert [(f.check, f.count) for f in facts_from_folder(tmp_path).data.findings] == [("empty", 2)]


def test_counts_by_reason_are_summed(tmp_path):
    quality = {"rows": 100, "quarantined": {"not_json": 3, "no_response": 4}, "removed": {}}
    quality["findings"] = [{"check": "votes", "severity": "info", "count": 9, "examples": []}]
    facts = facts_from_folder(write(tmp_path, evaluation_json={"n": 1}, data__quality_json=quality))
    assert (facts.data.quarantined, facts.data.removed) == (7, 0)
    assert facts.data.findings[0].severity == "info"


def test_the_spread_of_the_rewards_comes_from_the_comparisons(tmp_path):
    rows = lines({"reward_i": 1.0, "reward_j": 1.0}, {"reward_i": 3.0, "reward_j": 3.0})
    facts = facts_from_folder(write(tmp_path, evaluation_json={"n": 2}, comparisons_lines=rows))
    assert facts.reward_std == 1.0


def test_findings_count_rows_whatever_was_found_in_each(tmp_path):
    found = [
        {"check": "control_characters", "severity": "info", "rows": 40, "count": 153, "examples": []},
        {"check": "votes", "severity": "info", "count": 153, "examples": []},  # as until 0.3.0
    ]
    filters = [{"check": "votes", "found": 50, "removed": 0}]
    quality = {"rows": 100, "findings": found, "filters": filters}
    facts = facts_from_folder(write(tmp_path, evaluation_json={"n": 1}, data__quality_json=quality))
    assert {one.check: one.count for one in facts.data.findings} == {"control_characters": 40, "votes": 50}


@pytest.mark.parametrize(("rankings", "tau"), [(9, None), (10, 0.5), (None, 0.5)])
def test_tau_of_few_rankings_is_no_figure(rankings, tau):
    facts = facts_from_mapping({"kendall_tau": 0.5, "kendall_tau_n": rankings, "n": 30, "accuracy": 0.7})
    assert facts.kendall_tau == tau


def test_a_direction_that_is_none_is_refused():
    with pytest.raises(DataError, match="direction is 'up'"):
        facts_from_mapping({"baselines": {"longer": {"accuracy": 0.6, "direction": "up"}}})


def test_the_spread_of_the_rewards_hears_weights(tmp_path):
    rows = lines({"reward_i": 1.0, "reward_j": 3.0}, {"reward_i": 90.0, "reward_j": 0.0, "weight": 0.0})
    facts = facts_from_folder(write(tmp_path, evaluation_json={"n": 2}, comparisons_lines=rows))
    assert facts.reward_std == 1.0
