"""`rewardsmith calibrate`, and `--calibrated` of score and evaluate: what they store, add and refuse."""

import json

import numpy as np
import orjson
import pytest
from safetensors.numpy import load_file

import rewardsmith as rs
from rewardsmith.cli import main
from rewardsmith.commands import calibrate, ensemble, evaluate, score, train
from rewardsmith.errors import DataError, ModelError, OutputError, UsageError
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.files import write_jsonl
from rewardsmith.language import speaking
from rewardsmith.model.checkpoint.intact import model_faults
from rewardsmith.model.checkpoint.sidecar import Sidecar


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate") / "run"
    small = {"n_layer": 1, "n_embd": 32, "max_steps": 4, "report": False}
    train.run(train.Config(model="tiny", dataset=("synthetic:600",), output=folder, **small))
    return folder


@pytest.fixture
def own(run, tmp_path):
    """A copy of the model with length and temperature fitted on the validation data of its run."""
    output = tmp_path / "own"
    report = calibrate.run(calibrate.Config(model=str(run), method=("length", "temperature"), output=output))
    return output, report


def rewards(model, tmp_path, source="synthetic:4x3", **settings):
    written = tmp_path / "scored.jsonl"
    score.run(score.Config(model=str(model), source=source, output=written, overwrite=True, **settings))
    return [orjson.loads(line) for line in written.read_bytes().splitlines()]


def test_without_a_place_it_reports_and_stores_nothing(run):
    before = (run / "model" / "reward.json").read_bytes()
    report = calibrate.run(calibrate.Config(model=str(run)))
    assert report.stored is None
    assert report.calibration.methods == ("temperature",)
    assert report.overlap["new"] == report.calibration.prompts
    assert (run / "model" / "reward.json").read_bytes() == before
    assert "not stored" in report.to_text()


def test_the_default_temperature_is_the_one_that_training_fitted_on_validation(run):
    stored = Sidecar.load(run / "model").calibration
    assert calibrate.run(calibrate.Config(model=str(run))).calibration.temperature == pytest.approx(stored.temperature)


def test_a_copy_has_the_same_weights_and_opens_whole(run, own):
    output, report = own
    assert model_faults(output) == []
    one, two = (load_file(folder / "model.safetensors") for folder in (run / "model", output))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert Sidecar.load(output).calibration.methods == ("length", "temperature")
    assert Sidecar.load(run / "model").calibration.methods == ("temperature",)
    assert report.stored == output / "reward.json"
    assert json.loads(orjson.dumps(report.to_json()))["methods"] == ["length", "temperature"]


def test_an_update_changes_the_sidecar_alone_and_can_be_done_again(own):
    output, _ = own
    before = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
    made = rs.prepare("synthetic:300", output.parent / "other")
    assert made
    calibrate.run(
        calibrate.Config(model=str(output), sources=(str(output.parent / "other"),), split="train", update=True)
    )
    after = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
    assert {name for name in before if before[name] != after[name]} == {"reward.json", "manifest.json"}
    assert model_faults(output) == []
    assert Sidecar.load(output).calibration.methods == ("temperature",)


def test_scores_have_the_calibrated_fields_beside_the_same_raw_rewards(run, own, tmp_path):
    output, _ = own
    plain, added = rewards(run, tmp_path), rewards(output, tmp_path, calibrated=True)
    assert "calibrated_rewards" not in plain[0]
    assert [row["rewards"] for row in plain] == [row["rewards"] for row in added]
    values = np.array(added[0]["calibrated_rewards"])
    against = sigmoid(values[:, None] - values[None, :])
    assert added[0]["p_better"] == pytest.approx([(against[k].sum() - 0.5) / 2 for k in range(3)])
    assert sum(added[0]["p_better"]) == pytest.approx(1.5)


def test_two_responses_have_the_probability_of_each_against_the_other(own, tmp_path):
    one, two = rewards(own[0], tmp_path, source="synthetic:1", calibrated=True)[0]["p_better"]
    assert one + two == pytest.approx(1.0)


def test_a_calibration_that_changes_makes_no_use_of_parts_scored_before(run, own, tmp_path):
    assert rewards(run, tmp_path, calibrated=True) != rewards(own[0], tmp_path, calibrated=True)


def test_a_row_that_has_such_a_column_is_refused(own, tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c", "p_better": 1}])
    with pytest.raises(DataError, match="p_better"):
        rewards(own[0], tmp_path, source=str(tmp_path / "rows.jsonl"), calibrated=True)


def test_evaluation_compares_raw_and_calibrated_on_the_same_comparisons(own, tmp_path):
    config = evaluate.Config(
        model=str(own[0]), sources=("synthetic:600",), split="test", calibrated=True, output=tmp_path / "e"
    )
    result = evaluate.run(config)
    found = json.loads((tmp_path / "e" / "evaluation.json").read_text())["calibrated"]
    assert found["accuracy"]["before"] == result.summary["accuracy"]
    assert found["nll"]["before"] == pytest.approx(result.summary["nll"])
    assert found["n"] == result.summary["n"]
    low, high = found["accuracy"]["ci"]
    assert low <= found["accuracy"]["difference"] <= high
    assert not found["fitted_on_these"]
    rows = [json.loads(line) for line in (tmp_path / "e" / "comparisons.jsonl").read_text().splitlines()]
    right = [row["calibrated_margin"] > 0 for row in rows if row["preference"] != 0.5]
    assert np.mean(right) == pytest.approx(found["accuracy"]["after"])
    assert "raw rewards and calibrated ones (length, temperature" in result.to_text()


def test_judging_on_the_data_it_was_fitted_on_is_said(own):
    config = evaluate.Config(model=str(own[0]), sources=("synthetic:600",), split="validation", calibrated=True)
    result = evaluate.run(config)
    assert result.summary["calibrated"]["fitted_on_these"]
    assert "too optimistic" in result.to_text()


def test_training_data_is_refused_dropped_or_kept(run):
    with pytest.raises(DataError, match=r"records are in the training data.*--overlap drop"):
        calibrate.run(calibrate.Config(model=str(run), sources=("synthetic:600",)))
    dropped = calibrate.run(calibrate.Config(model=str(run), sources=("synthetic:600",), overlap="drop"))
    kept = calibrate.run(calibrate.Config(model=str(run), sources=("synthetic:600",), overlap="keep"))
    trained = dropped.overlap["same_pair"] + dropped.overlap["same_prompt"]
    assert dropped.dropped == trained > 400
    assert dropped.calibration.prompts + trained == kept.calibration.prompts == 600


def test_what_cannot_be_calibrated_is_refused_before_it_is_scored(run, tmp_path):
    with pytest.raises(ModelError, match="rewardsmith import"):
        calibrate.run(calibrate.Config(model=headless(run, tmp_path), sources=("synthetic:9",)))
    few = calibrate.Config(model=str(run), sources=("synthetic:600",), split="test", method=("isotonic",))
    with pytest.raises(DataError, match="at least 100 decided comparisons"):
        calibrate.run(few)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError):
        calibrate.run(calibrate.Config(model=str(run), output=tmp_path / "full", overwrite=True))


def headless(run, tmp_path):
    """The model without its sidecar, as another program would have written it."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for path in (run / "model").iterdir():
        if path.is_file() and path.name not in ("reward.json", "manifest.json"):
            (folder / path.name).write_bytes(path.read_bytes())
    return str(folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": ("temperature", "isotonic")}, "exclude each other"),
        ({"smoothing": 0.5}, "only used with --method length"),
        ({"length_unit": "characters"}, "only used with --method length"),
        ({"method": ("length",), "smoothing": 1.5}, "at most 1"),
        ({"method": ("length",), "smoother": "local-average", "smoothing": 0.0}, "above 0"),
        ({"output": "a", "update": True}, "cannot be combined"),
        ({"method": ()}, "--method is missing"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        calibrate.Config(model="m", **settings)


def test_a_model_without_a_calibration_says_how_to_get_one(run, tmp_path, own):
    output, _ = own
    stored = json.loads((output / "reward.json").read_text())
    (output / "manifest.json").unlink()
    (output / "reward.json").write_text(json.dumps({**stored, "calibration": None}))
    with pytest.raises(ModelError, match=r"has no calibration; .*rewardsmith calibrate"):
        rewards(output, tmp_path, calibrated=True)
    with pytest.raises(ModelError, match="has no calibration"):
        evaluate.run(evaluate.Config(model=str(output), sources=("synthetic:20",), calibrated=True))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_line_prints_a_table_and_json(run, capsys, lang):
    with speaking(lang):
        assert main(["--lang", lang, "calibrate", str(run), "--method", "length"]) == 0
    text = capsys.readouterr().out
    assert ("交叉验证" if lang == "zh" else "cross-validated") in text
    assert max(map(len, text.splitlines())) < 130
    assert main(["calibrate", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stored"] is None


def test_an_ensemble_is_calibrated_in_place_and_never_copied_away_from_its_members(run, own, tmp_path):
    both = tmp_path / "both"
    ensemble.run(ensemble.Config(members=(str(run), str(own[0])), output=both, validation=("synthetic:40",)))
    with pytest.raises(UsageError, match="use --update"):
        calibrate.run(calibrate.Config(model=str(both), sources=("synthetic:80",), output=tmp_path / "copy"))
    report = calibrate.run(calibrate.Config(model=str(both), sources=("synthetic:80",), update=True))
    assert report.calibration.methods == ("temperature",)
    assert sum(rewards(both, tmp_path, source="synthetic:1", calibrated=True)[0]["p_better"]) == pytest.approx(1.0)
