"""Heads that give columns beside the reward: saved, opened, scored, and refused where they do not belong to the model."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.errors import ContractError, DataError, UsageError
from rewardsmith.model.heads import HEADS, describe_head, new_head
from rewardsmith.model.heads.head import file_of
from rewardsmith.pipelines.train.head import LOSS_OF, HeadSettings, loss_for
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.train.losses import LOSSES

TEXTS = ["A good answer.", "nothing", "The sum of two and two is four.", "一个好的回答。"]


def with_head(name):
    """The tiny model with a newly drawn head."""
    model = tiny()
    model.keep_head(new_head(describe_head(name), model.network.head.in_features, seed=3))
    return model


def test_every_head_has_a_loss_and_settings_know_it():
    assert {name: kind.loss for name, kind in HEADS.items()} == LOSS_OF
    assert {kind.loss for kind in HEADS.values()} <= set(LOSSES)


@pytest.mark.parametrize("name", HEADS)
def test_a_saved_head_gives_the_same_columns_and_the_reward_of_before(tmp_path, name):
    model = with_head(name)
    rewards = model.score(TEXTS)
    found = model.score_with_columns(TEXTS)
    np.testing.assert_array_equal(found.rewards, rewards)
    assert tuple(found.columns) == model.columns
    model.save(tmp_path / "m")
    again = rs.RewardModel.load(tmp_path / "m")
    assert again.columns == model.columns
    opened = again.score_with_columns(TEXTS)
    np.testing.assert_allclose(opened.rewards, rewards, atol=1e-6)
    for column in model.columns:
        np.testing.assert_allclose(opened.columns[column], found.columns[column], atol=1e-6)
    (record,) = list(model.outputs([pair("Which?", TEXTS[0], TEXTS[2])]))
    assert {column.shape for column in record.columns.values()} == {(2,)}


def test_a_head_that_is_missing_cut_or_of_another_model_is_refused_in_one_line(tmp_path):
    with_head("odin").save(tmp_path / "m")
    path = file_of(tmp_path / "m", "odin")
    good = load_file(path)
    (tmp_path / "m" / "manifest.json").unlink()  # which would be the first to notice

    def refused(message):
        with pytest.raises(ContractError, match=message) as caught:
            rs.RewardModel.load(tmp_path / "m")
        assert "\n" not in str(caught.value)

    save_file({**good, "reward": good["reward"] + 0.01}, path)
    refused("belongs to another model")
    save_file({**good, "weight": good["weight"][:, :-1].contiguous()}, path)
    refused(r"has weights of shape .*63.* expected .*64")
    path.write_bytes(path.read_bytes()[:-9])
    refused("cannot be read, but reward.json lists the head odin")
    path.unlink()
    refused("cannot be read, but reward.json lists the head odin")
    sidecar = tmp_path / "m" / "reward.json"
    stored = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**stored, "head": {"name": "later", "columns": ["a"], "options": {}}}))
    refused("has a head 'later', which this version does not know")


def test_a_head_chooses_its_loss_and_another_is_refused():
    assert loss_for(HeadSettings(name="odin"), LossSettings(length_weight=0.5)) == LossSettings(
        name="odin", length_weight=0.5
    )
    with pytest.raises(UsageError, match="--loss hinge: --head odin is trained with --loss odin; remove --loss"):
        loss_for(HeadSettings(name="odin"), LossSettings(name="hinge"))
    with pytest.raises(UsageError, match="--head other: expected one of scalar, odin"):
        describe_head("other")
    with pytest.raises(UsageError, match=r"--head\.levels has no effect with --head odin; remove it"):
        describe_head("odin", {"levels": 3})


def test_from_training_to_scored_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    rs.train("tiny", "synthetic:60", run, head="odin", max_steps=3, threads=1, report=False)
    assert json.loads((run / "settings.json").read_text())["head"] == {"name": "odin"}
    assert json.loads((run / "settings.json").read_text())["loss"] == "odin"
    stored = json.loads((run / "model" / "reward.json").read_text())
    assert stored["head"] == {"name": "odin", "columns": ["length"], "options": {}}
    assert rs.verify(run).holds
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "Which?", "chosen": TEXTS[0], "rejected": TEXTS[1]}) + "\n")
    rs.score(str(run), str(rows), tmp_path / "out.jsonl")
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    model = rs.RewardModel.load(run)
    (again,) = model.outputs([pair("Which?", TEXTS[0], TEXTS[1])])
    assert row["rewards"] == pytest.approx(list(again.rewards), abs=1e-6)
    assert row["reward_length"] == pytest.approx(list(again.columns["length"]), abs=1e-6)
    assert torch.equal(model.network.head.weight, load_file(file_of(run / "model", "odin"))["reward"])
    taken = tmp_path / "taken.jsonl"
    taken.write_text(json.dumps({**json.loads(rows.read_text()), "reward_length": [0, 0]}) + "\n")
    with pytest.raises(DataError, match="already has a column 'reward_length'"):
        rs.score(str(run), str(taken), tmp_path / "other.jsonl")
