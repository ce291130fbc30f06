"""Several heads in one folder: their mean is the model, their spread stands beside it, and one head is as before."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.commands import score as command
from rewardsmith.errors import ContractError, DataError, UsageError
from rewardsmith.model.ensemble import FILE, HeadEnsemble
from rewardsmith.scoring.trees import build_tree

TEXTS = ["A good answer.", "nothing", "The sum of two and two is four."]


def three_heads():
    """The tiny model as the mean of three heads."""
    model = tiny()
    weights = np.random.default_rng(0).normal(size=(3, 64))
    with torch.no_grad():
        model.network.head.weight.copy_(torch.from_numpy(weights.mean(axis=0))[None])
    model.keep_heads(weights)
    return model, weights


def features_of(model):
    records = [pair("", text, "other") for text in TEXTS]
    trees = [model.encode(record).sequences[0] for record in records]
    with torch.no_grad():
        return model.network.features(model.network.collate([build_tree([ids]) for ids in trees])).double().numpy()


def test_the_reward_is_the_mean_of_the_heads_and_the_spread_their_standard_deviation():
    model, weights = three_heads()
    by_head = features_of(model) @ weights.T
    found = model.score_with_columns(TEXTS)
    np.testing.assert_allclose(found.rewards, by_head.mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        found.columns["std"], np.sqrt(((by_head - by_head.mean(axis=1)[:, None]) ** 2).mean(axis=1)), rtol=1e-5
    )
    np.testing.assert_array_equal(found.rewards, model.score(TEXTS))  # the very same bits as without the spread


def test_every_response_has_its_own_in_the_order_of_the_record():
    model, _ = three_heads()
    record = pair("Which?", TEXTS[0], TEXTS[2])
    (found,) = model.outputs([record])
    np.testing.assert_array_equal(found.rewards, next(model.score_records([record])))
    assert found.columns["std"].shape == (2,)
    assert found.columns["std"][0] != found.columns["std"][1]


def test_a_folder_with_heads_opens_with_them_and_a_folder_with_one_head_without(tmp_path):
    model, weights = three_heads()
    model.save(tmp_path / "three")
    tiny().save(tmp_path / "one")
    again = rs.RewardModel.load(tmp_path / "three")
    assert again.head.weights.shape == weights.shape
    before, after = (each.score_with_columns(TEXTS).columns["std"] for each in (model, again))
    np.testing.assert_allclose(after, before, rtol=1e-6)
    names = [{path.name for path in (tmp_path / name).iterdir()} for name in ("three", "one")]
    assert names[0] - names[1] == {"heads"}  # apart from model.safetensors, which others would load with it
    one = rs.RewardModel.load(tmp_path / "one")
    assert one.head is None
    assert one.score_with_columns(TEXTS).columns == {}


def test_a_sidecar_of_before_has_one_head(tmp_path):
    tiny().save(tmp_path / "old")
    path = tmp_path / "old" / "reward.json"
    stored = json.loads(path.read_text())
    assert stored.pop("heads") == 1
    path.write_text(json.dumps(stored))
    (tmp_path / "old" / "manifest.json").unlink()  # nor was there one
    assert rs.RewardModel.load(tmp_path / "old").head is None


def test_heads_that_are_missing_cut_or_of_another_model_are_refused_in_one_line(tmp_path):
    model, _ = three_heads()
    model.save(tmp_path / "m")
    path = tmp_path / "m" / FILE
    good = load_file(path)["weights"]
    (tmp_path / "m" / "manifest.json").unlink()  # which would be the first to notice

    def refused(message):
        with pytest.raises(ContractError, match=message) as caught:
            rs.RewardModel.load(tmp_path / "m")
        assert "\n" not in str(caught.value)

    save_file({"weights": good + 0.01}, path)
    refused("belongs to another model: the mean of its heads differs by 0.01")
    save_file({"weights": good[:2].contiguous()}, path)
    refused(r"has weights of shape \[2, 64\], expected \[3, 64\]")
    path.write_bytes(path.read_bytes()[:-9])
    refused("cannot be read, but reward.json lists 3 heads")
    path.unlink()
    refused("cannot be read, but reward.json lists 3 heads")


def test_the_way_from_data_to_a_score_with_its_spread(tmp_path, monkeypatch):
    """`train --members 3`, then `evaluate` and `score` on the folder."""
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    result = rs.train(
        "tiny", "synthetic:80", run, freeze_layers=-1, head_start="probe", members=3, threads=1, report=False
    )
    told = result.summary["heads"]
    assert (told["count"], len(told["accuracies"])) == (3, 3)
    assert 0.3 < told["agreement"] <= 1
    assert "3 heads on " in result.to_text()
    model = rs.RewardModel.load(run)
    assert len({row.numpy().tobytes() for row in model.head.weights}) == 3
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "Which?", "chosen": TEXTS[0], "rejected": TEXTS[1]}) + "\n")
    command.run(command.Config(model=str(run), source=str(rows), output=tmp_path / "out.jsonl"))
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert len(row["rewards"]) == len(row["reward_std"]) == 2
    assert min(row["reward_std"]) > 0
    taken = tmp_path / "taken.jsonl"
    taken.write_text(json.dumps({**json.loads(rows.read_text()), "reward_std": [0, 0]}) + "\n")
    with pytest.raises(DataError, match="already has a column 'reward_std'"):
        command.run(command.Config(model=str(run), source=str(taken), output=tmp_path / "other.jsonl"))


def test_heads_beside_a_trained_head_are_refused(tmp_path):
    model, _ = three_heads()
    model.save(tmp_path / "m")
    settings = {"members": 3, "freeze_layers": -1, "head_start": "probe"}
    with pytest.raises(UsageError, match="has a trained head, which is kept"):
        rs.train(str(tmp_path / "m"), "synthetic:60", tmp_path / "o", **settings)
    assert not (tmp_path / "o").exists()


def test_the_mean_is_exact_for_many_heads():
    weights = torch.randn(100, 7)
    torch.testing.assert_close(HeadEnsemble(weights).mean(), weights.double().mean(dim=0))
