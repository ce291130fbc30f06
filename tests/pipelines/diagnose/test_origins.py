"""Which run a model comes from, when it was copied out of its folder; and why a run came to no end."""

import json
import shutil

import pytest

from rewardsmith.commands import diagnose, evaluate, train
from rewardsmith.diagnose import reading
from rewardsmith.diagnose.reading import read_metrics
from rewardsmith.errors import ContractError, TrainingError
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.diagnose import measure, measurements, other_templates
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench
from rewardsmith.pipelines.diagnose.groups import groups_by_field
from rewardsmith.pipelines.diagnose.hundred_pairs import PairsKnown, UntilKnown, hundred_pairs
from rewardsmith.pipelines.diagnose.measure import measured, wanted
from rewardsmith.pipelines.diagnose.origins import run_behind
from rewardsmith.pipelines.diagnose.stopwatch import Stopwatch
from rewardsmith.pipelines.run_data import identity_of
from rewardsmith.pipelines.train.members import MembersSettings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, and beside it its model twice: as it is, and as another program exports it."""
    place = tmp_path_factory.mktemp("origins")
    asked = {"model": "tiny", "dataset": ("synthetic:80",), "output": place / "run", "max_steps": 3, "n_layer": 1}
    train.run(train.Config(**asked, threads=1))
    for name in ("copied", "exported"):
        shutil.copytree(place / "run" / "model", place / name)
    for name in ("reward.json", "manifest.json"):
        (place / "exported" / name).unlink()
    for name in ("copied", "exported"):
        evaluate.run(
            evaluate.Config(
                model=str(place / name), sources=("synthetic:80",), split="test", output=place / f"eval-{name}"
            )
        )
    return place


def test_a_copied_model_names_its_run(trained):
    assert read_object(trained / "copied" / "reward.json")["training"]["run"] == identity_of(trained / "run")
    found = run_behind(trained / "eval-copied", trained / "copied")
    assert (found.how, found.run.resolve()) == ("named", (trained / "run").resolve())


def test_an_exported_model_is_known_by_its_weights_else_only_by_its_architecture(trained, tmp_path):
    assert run_behind(trained / "eval-exported", trained / "exported").how == "weights"
    place = tmp_path / "near"
    shutil.copytree(trained / "run", place / "run")
    shutil.copytree(trained / "exported", place / "model")
    weights = place / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert run_behind(place / "eval", place / "model").how == "alike"
    config = json.loads((place / "model" / "config.json").read_text())
    (place / "model" / "config.json").write_text(json.dumps({**config, "hidden_size": 8}))
    assert run_behind(place / "eval", place / "model").how == "unknown"


def test_a_model_that_lies_alone_is_of_unknown_origin(trained, tmp_path):
    shutil.copytree(trained / "copied", tmp_path / "alone" / "model")
    assert run_behind(tmp_path / "elsewhere" / "eval", tmp_path / "alone" / "model").how == "unknown"


@pytest.mark.parametrize("name", ["copied", "exported"])
def test_a_copied_model_is_held_against_the_rewards_of_its_run(trained, name):
    bench = Workbench.of(trained / f"eval-{name}")
    found = measurements.rescored(bench)["rescored"]
    assert found["correlation"] == pytest.approx(1.0)
    assert found["largest"] == pytest.approx(0.0, abs=1e-5)
    assert measurements.contract_again(bench) == {"contract_changed": []}


def test_what_the_tokenizer_of_an_exported_model_reads_otherwise_is_named(trained, tmp_path):
    place = tmp_path / "swapped"
    shutil.copytree(trained / "run", place / "run")
    shutil.copytree(trained / "exported", place / "model")
    shutil.copytree(trained / "eval-exported", place / "eval")
    path = place / "model" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    path.write_text(json.dumps(tokenizer))
    summary = json.loads((place / "eval" / "evaluation.json").read_text())
    (place / "eval" / "evaluation.json").write_text(json.dumps({**summary, "model": str(place / "model")}))
    assert measurements.contract_again(Workbench.of(place / "eval"))["contract_changed"] == ["tokenizer"]


def test_groups_are_told_for_fields_with_a_few_values_and_many_comparisons(trained):
    found = groups_by_field(Workbench.of(trained / "run"))["groups"]
    fields = {(one["field"], one["trained"]) for one in found}
    assert ("topic", True) in fields
    assert not any(field in ("id", "source") for field, _ in fields)
    for one in found:
        assert all(figures["n"] >= 20 for figures in one["values"].values())


def test_under_other_templates_margins_move_and_under_its_own_nothing_is_measured(trained):
    bench = Workbench.of(trained / "run")
    found = other_templates.under_other_templates(bench)["templates"]
    moved = {one["template"]: one["moved"] for one in found}
    assert moved["plain"] > 0
    assert moved["chatml"] == pytest.approx(0.0, abs=1e-6)  # the same tokens as under its own
    for one in found:
        assert one["difference_ci"][0] <= one["difference"] <= one["difference_ci"][1]
    assert other_templates.under(bench.model, bench.model.contract.template, []) is None


def test_a_bench_without_a_run_says_so(trained, tmp_path):
    shutil.copytree(trained / "eval-copied", tmp_path / "eval")
    summary = json.loads((tmp_path / "eval" / "evaluation.json").read_text())
    (tmp_path / "eval" / "evaluation.json").write_text(json.dumps({**summary, "model": str(tmp_path / "gone")}))
    bench = Workbench.of(tmp_path / "eval")
    assert bench.how == "unknown"
    with pytest.raises(CannotMeasure, match="does not lie in a run"):
        measurements.contract_again(bench)


def test_a_run_that_its_loss_ended_keeps_the_reason_and_the_verdict_names_the_rate(tmp_path):
    asked = {"model": "tiny", "dataset": ("synthetic:120",), "output": tmp_path / "run", "n_layer": 1, "batch": 4}
    with pytest.raises(TrainingError):
        train.run(train.Config(**asked, lr=30.0, epochs=3, threads=1))
    ended = read_object(tmp_path / "run" / "ended.json")
    assert (ended["error"], ended["lr"]) == ("TrainingError", 30.0)
    assert "--lr" in ended["message"]
    verdict = diagnose.run(diagnose.Config(run=tmp_path / "run")).to_json()
    ids = [finding["id"] for finding in verdict["findings"] if finding["severity"] == "critical"]
    assert "learning_rate_high" in ids[:2]
    assert "--resume" not in verdict["next_command"]
    assert "--lr" in verdict["next_command"]


def test_the_stopwatch_counts_no_time_in_which_nothing_is_computed(monkeypatch):
    watch = Stopwatch()
    monkeypatch.setattr("rewardsmith.pipelines.diagnose.stopwatch.time.monotonic", lambda: watch.clock + 500.0)
    assert watch.seconds < 60.0


@pytest.mark.parametrize(("largest", "asked"), [(0.01, True), (2.0, False)])
def test_why_little_was_learned_is_not_asked_of_another_model(largest, asked):
    evaluation = {"training": {"sample": {"accuracy": 0.55}}}
    found = {"rescored": {"largest": largest, "spread": 1.0}}
    assert wanted(evaluation, found) is asked
    assert wanted(evaluation, {}) is True


def test_a_model_that_refuses_every_text_is_measured_as_far_as_that_goes(trained, monkeypatch):
    bench = Workbench.of(trained / "run")

    def refuse(self, record):
        raise ContractError("refused")

    monkeypatch.setattr(type(bench.model), "encode", refuse)
    found = measurements.model_again(bench)
    assert (found["refused"], found["refused_before"], found["refusal"]) == (1.0, 0.0, "refused")
    for measurement in (measurements.rescored, groups_by_field, other_templates.under_other_templates):
        with pytest.raises(CannotMeasure, match="scores none"):
            measurement(bench)


def test_a_hundred_pairs_are_not_trained_on_where_that_would_take_too_long(trained):
    bench = Workbench.of(trained / "run", seconds=1e-9)
    with pytest.raises(CannotMeasure, match="more than --time-limit"):
        hundred_pairs(bench)


def test_a_hundred_pairs_are_trained_on_until_they_are_known(trained):
    found = hundred_pairs(Workbench.of(trained / "run"))["hundred"]
    assert 0 < found["steps"] < 200  # of 400
    assert found["accuracy"] >= 0.95  # the loss of an epoch is taken while the weights move
    assert found["loss"] < 0.2


def test_pairs_are_known_once_the_loss_of_a_whole_epoch_is_small():
    training = UntilKnown(400, 3, 1e9)
    for loss in (0.01, 0.02, 0.5, 0.05, 0.04):
        training.advance(1, loss=loss)
    with pytest.raises(PairsKnown):
        training.advance(1, loss=0.03)


def test_an_ensemble_of_runs_is_measured_on_the_data_of_its_members(tmp_path):
    asked = {"model": "tiny", "dataset": ("synthetic:80",), "output": tmp_path / "run", "max_steps": 2, "n_layer": 1}
    train.run(train.Config(**asked, threads=1, members=MembersSettings(name=2, kind="runs")))
    found = diagnose.run(diagnose.Config(run=tmp_path / "run"))
    measured = read_object(tmp_path / "run" / "measurements.json")
    assert {"data", "contract", "model", "rescored", "rows", "rule", "groups"} <= set(measured["done"])
    assert measured["rescored"]["largest"] < 1e-4
    assert "overlap_excluded" in {one["id"] for one in found.to_json()["findings"]}


def test_a_head_alone_is_fitted_to_a_hundred_pairs_without_steps(tmp_path):
    asked = {"model": "tiny", "dataset": ("synthetic:160",), "output": tmp_path / "run", "max_steps": 2, "n_layer": 1}
    train.run(train.Config(**asked, freeze_layers=-1, threads=1))
    found = hundred_pairs(Workbench.of(tmp_path / "run", seconds=1e-9))["hundred"]
    assert (found["exact"], found["steps"]) == (True, 0)
    assert found["pairs"] >= 100
    # 64 features: random labels of 100 pairs are separable with probability .997 (Cover 1965) where features are general
    assert found["accuracy"] > 0.75


def test_what_is_measured_is_neither_looked_for_nor_read_again(trained, monkeypatch):
    run = trained / "run"
    monkeypatch.setattr(measure, "CONDITIONAL", {})  # 400 steps of training
    known = measured(run, seconds=1e9)["done"]  # what cannot be measured of 80 rows is tried again each time
    monkeypatch.setattr(
        measure, "MEASUREMENTS", {name: measurements.MEASUREMENTS[name] for name in known if name != "error_tokens"}
    )
    first = measured(run, seconds=1e9)
    monkeypatch.setattr(Workbench, "of", lambda *given, **more: pytest.fail("runs were looked for"))
    assert measured(run, seconds=1e9) == first
    read = []
    monkeypatch.setattr(reading, "read_metrics", lambda path: (read.append(path), read_metrics(path))[1])
    diagnose.run(diagnose.Config(run=run, overwrite=True))
    assert len(read) == 1
