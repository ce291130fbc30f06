"""The functions on trained models do what their commands do, with models by folder and data in memory."""

import json

import pytest

import rewardsmith as rs
from builders import tiny

ROWS = [{"prompt": f"Name {n}", "chosen": f"Plum {n} is one.", "rejected": f"Oak {n}."} for n in range(40)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed in (1, 2):
        tiny(seed=seed).save(folder / str(seed), training={"base_model": {"name": "tiny"}})
    return [folder / "1", folder / "2"]


def test_models_are_joined_on_rows_in_memory(models, tmp_path):
    found = rs.ensemble(models, tmp_path / "both", combine={"name": "mean-std", "std_weight": 2.0}, validation=ROWS)
    stored = json.loads((tmp_path / "both" / "ensemble.json").read_text())
    assert len(found.members) == len(stored["members"]) == 2
    assert found.scaled_by
    rewards = rs.score(tmp_path / "both", ROWS[:2])
    assert all({"rewards", "reward_std", "reward_member_2"} <= row.keys() for row in rewards)


def test_weights_are_averaged_and_measured_on_rows_in_memory(models, tmp_path):
    found = rs.merge(models, tmp_path / "merged", data=ROWS)
    assert found.check is not None
    assert found.check["n"] == len(ROWS)
    assert found.distance > 0


def test_a_calibration_is_of_the_validation_split_of_a_mapping(models, tmp_path):
    found = rs.calibrate(models[0], {"train": ROWS[:5], "validation": ROWS}, output=tmp_path / "calibrated")
    assert found.calibration.temperature is not None
    assert "validation" in found.calibration.fitted_on
    assert f"({len(ROWS)} rows" in found.calibration.fitted_on
    (row,) = rs.score(tmp_path / "calibrated", ROWS[:1], calibrated=True)
    assert "rewards" in row


def test_a_model_is_exported_for_critics(models, tmp_path):
    assert rs.export(models[0], tmp_path / "critic").largest_difference < 1e-4
    assert (tmp_path / "critic" / "model.safetensors").is_file()


def test_one_model_alone_and_a_model_that_is_open_are_refused(models, tmp_path):
    with pytest.raises(rs.UsageError, match="two or more"):
        rs.merge(models[0], tmp_path / "merged")
    with pytest.raises(rs.UsageError, match="two models"):
        rs.ensemble(models[:1], tmp_path / "both")
    with pytest.raises(rs.UsageError, match=r"model\.save"):
        rs.calibrate(rs.load_reward_model(models[0], device="cpu"), ROWS)
    with pytest.raises(rs.UsageError, match="members"):
        rs.merge(5, tmp_path / "merged")
    assert not any(tmp_path.iterdir())


def test_an_ensemble_of_whole_models_is_no_critic(models, tmp_path):
    rs.ensemble(models, tmp_path / "both", progress=rs.SILENT)
    with pytest.raises(rs.ModelError, match="ensemble"):
        rs.export(tmp_path / "both", tmp_path / "critic")


def test_a_curve_needs_a_run(tmp_path):
    with pytest.raises(rs.DataError, match="no finished run"):
        rs.learning_curve(tmp_path)
