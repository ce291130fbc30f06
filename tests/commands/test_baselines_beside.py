"""What stands beside a model: rules that saw what the model saw, and counts that mean what they say."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import rewardsmith as rs
from builders import pair, ranking
from rewardsmith.commands import evaluate as command
from rewardsmith.commands import train
from rewardsmith.diagnose.reading import facts_from_folder
from rewardsmith.language import say
from rewardsmith.pipelines.evaluate.evaluation import compared, comparisons_of, shortcuts_beside, training_texts
from rewardsmith.pipelines.evaluate.ranked_responses import rankings_of


def test_dropped_labels_and_ties_train_no_baseline():
    kept, dropped = pair("p", "kept", "other", weight=2.0), pair("q", "dropped", "other", weight=0.0)
    texts = training_texts([kept, dropped, pair("r", "tied", "other", preference=0.5)])
    assert (texts.preferred, texts.other, texts.weights().tolist()) == (["kept"], ["other"], [2.0])
    assert training_texts([dropped]) is None


def test_a_ranking_has_the_mean_weight_of_its_comparisons_and_its_prompt():
    record = ranking("p", "a", "b", "c")
    weights = (1.0, 0.0, 0.5)
    light = replace(
        record,
        ratings={"overall": (3.0, 2.0, 1.0)},
        comparisons=tuple(replace(c, weight=w) for c, w in zip(record.comparisons, weights, strict=True)),
    )
    found = rankings_of([light, light], [np.array([3.0, 2.0, 1.0])] * 2)
    assert found.weight.tolist() == [0.5] * 6
    assert (found.cluster == 0).all()  # one prompt
    assert sorted(set(found.group.tolist())) == [0, 1]


def test_features_together_are_fitted_on_training_where_there_is_any():
    def made(n, start=0):
        return [pair(f"p{k}", "a " * (2 + k % 3), "b " * (6 + k % 2)) for k in range(start, start + n)]

    rows = list(compared(made(12), [np.zeros(2)] * 12))
    alone = shortcuts_beside(rows, comparisons_of(rows), ())
    taught = shortcuts_beside(rows, comparisons_of(rows), made(30, start=50))
    assert (alone.fitted_on, taught.fitted_on) == ("5-fold by prompt", "training split, 30 comparisons")
    assert (taught.margin > 0).all()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on pairs where the shorter answer is always the better one; a row in four is too long to be trained on."""
    folder = tmp_path_factory.mktemp("shorter")
    rows = []
    for k in range(60):
        rejected = "This is a long and winding answer. " * (20 if k % 4 == 0 and k < 40 else 1)
        rows.append({"prompt": f"Question {k} about {k * 7}?", "chosen": f"Answer {k}.", "rejected": f"{rejected}{k}"})
    for name, part in (("train", rows[:40]), ("test", rows[40:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    train.run(
        train.Config(
            model="tiny",
            dataset=(str(folder / "train.jsonl"),),
            test=(str(folder / "test.jsonl"),),
            output=folder / "run",
            max_length=256,
            n_layer=1,
            n_embd=16,
            epochs=1,
            threads=1,
        )
    )
    return folder


def test_baselines_are_fitted_on_what_the_model_saw(run):
    evaluation = json.loads((run / "run" / "evaluation.json").read_text())
    seen = json.loads((run / "run" / "train.json").read_text())["records"]
    assert 0 < seen < 36  # of 40 ten are too long, and some are the validation split
    for name in ("tfidf", "shortcuts"):
        assert evaluation["baselines"][name]["fitted_on"] == f"training split, {seen} comparisons"


def test_a_rule_is_never_fitted_on_a_prompt_that_it_judges(run, tmp_path):
    """The training file given as test and as validation: what looks like other data is the evaluated set itself."""
    data = str(run / "train.jsonl")
    train.run(
        train.Config(
            model="tiny", dataset=(data,), test=(data,), output=tmp_path / "run", max_length=256, n_layer=1, n_embd=16,
            epochs=1, threads=1, report=True,
        )
    )  # fmt: skip
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert {rule["fitted_on"] for name, rule in found["baselines"].items() if name != "constant"} == {
        "5-fold by prompt"
    }
    assert found["temperature_source"] == "5-fold by prompt"
    assert found["fit_left_out"]["training"] > 0
    assert found["fit_left_out"]["validation"] > 0


def test_shorter_wins_is_the_baseline_where_it_does(run):
    length = json.loads((run / "run" / "evaluation.json").read_text())["baselines"]["longer"]
    assert (length["accuracy"], length["direction"]) == (1.0, "shorter")
    report = (run / "run" / "report.md").read_text(encoding="utf-8")
    card = (run / "run" / "model" / "README.md").read_text(encoding="utf-8")
    for text in (report, card):
        assert "shorter wins" in text
        assert "longer wins" not in text
        assert "all simple features" in text


def test_a_line_says_what_was_fitted_on_the_evaluated_set_itself(run):
    result = command.run(
        command.Config(model=str(run / "run"), sources=(str(run / "test.jsonl"),), output=run / "evaluated")
    )
    lines = {line.split("  ")[0]: line for line in result.to_text().splitlines()}
    for name in ("baseline shorter", "baseline tfidf", "baseline shortcuts", "ECE"):
        assert "evaluated set itself, 5-fold by prompt" in lines[name], name
        assert "所评估的数据本身" in say("fitted on the evaluated set itself, 5-fold by prompt", "zh")
    assert "itself" not in lines["baseline constant"]
    assert not any("Kendall" in line for line in lines)
    rs.diagnose(run / "evaluated")
    assert "evaluated set itself" in (run / "evaluated" / "report.md").read_text(encoding="utf-8")


def test_reports_count_rows_and_not_what_was_found_in_them(run, tmp_path):
    """40 rows, each with control characters in three places, are 40 rows."""
    rows = [
        {"prompt": f"What is {k}\x07 times two?", "chosen": f"It is \x08{2 * k}.", "rejected": f"It \x07is {k}."}
        for k in range(40)
    ]
    (tmp_path / "damaged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rs.prepare(tmp_path / "damaged.jsonl", tmp_path / "data")
    found = {one["check"]: one for one in json.loads((tmp_path / "data" / "quality.json").read_text())["findings"]}[
        "control_characters"
    ]
    assert found["rows"] == 40
    assert found["count"] > 40
    evaluated = shutil.copytree(run / "run", tmp_path / "run")
    for name in ("prepare.json", "quality.json"):
        if (tmp_path / "data" / name).is_file():
            shutil.copy(tmp_path / "data" / name, evaluated / "data" / name)
    (evaluated / "manifest.json").unlink()
    counted = {one.check: one.count for one in facts_from_folder(evaluated).data.findings}
    assert counted["control_characters"] == 40
