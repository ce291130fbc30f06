"""Heads that give columns beside the reward: saved, opened, scored, and refused where they do not belong to the model."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.errors import ContractError, DataError, UsageError
from rewardsmith.model.heads import HEADS, attach_outputs, describe_head, new_head
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import detach
from rewardsmith.model.heads.head import file_of
from rewardsmith.pipelines.train.head import LOSSES_OF, HeadSettings, loss_for
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.train.losses import LOSSES

TEXTS = ["A good answer.", "nothing", "The sum of two and two is four.", "一个好的回答。"]


PLAN = AttributePlan(("fit", "safe"), rated={"fit": (2.5, 1.5)})


OF_RESPONSES = [name for name in HEADS if name not in ("process", "gated")]
"""Heads whose reward is linear in what is read of a whole response; the others are in test_process and test_gated."""


def with_head(name, model=None, seed=3):
    """The tiny model with a newly drawn head, as training leaves it."""
    model = model or tiny()
    attach_outputs(model.network, name, describe_head(name, {}, PLAN), seed=seed)
    model.keep_head(detach(model.network))
    return model


def test_every_head_has_a_loss_and_settings_know_it():
    assert {name: kind.losses for name, kind in HEADS.items()} == LOSSES_OF
    assert {loss for kind in HEADS.values() for loss in kind.losses} <= set(LOSSES)


@pytest.mark.parametrize("name", OF_RESPONSES)
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
    with pytest.raises(UsageError, match="--head other: expected one of scalar, value, "):
        describe_head("other")
    with pytest.raises(UsageError, match=r"--head\.levels has no effect with --head odin; .* use --head quantile"):
        describe_head("odin", {"levels": 3})


@pytest.mark.parametrize("name", OF_RESPONSES)
def test_plain_transformers_opens_the_folder_with_the_same_reward(tmp_path, name):
    """Every head's reward is linear in what the head reads, so any reader of the field may have it."""
    from transformers import AutoModelForSequenceClassification

    model = with_head(name)
    model.save(tmp_path / "m")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    ids = [model.encode(pair("Which?", text, "other")).sequences[0] for text in TEXTS]
    with torch.no_grad():
        found = [plain(torch.from_numpy(np.asarray(each))[None].long()).logits.item() for each in ids]
    expected = [float(one.rewards[0]) for one in model.outputs([pair("Which?", text, "other") for text in TEXTS])]
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", OF_RESPONSES)
def test_a_new_head_gives_rewards_that_hardly_differ(name):
    """So that each loss begins near its value for equal rewards."""
    records = [
        pair(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}. " * (1 + k % 7), "不知道。") for k in range(40)
    ]
    for model in (tiny(), tiny(seed=1, n_layer=1)):
        with_head(name, model)
        found = list(model.outputs(records))
        differences = np.array([one.rewards[0] - one.rewards[1] for one in found])
        assert 0 < differences.std() <= 0.3
        for column in model.columns:
            if column not in ("kl", "fit"):  # a divergence, and a rating in the unit of the data
                between = [one.columns[column][0] - one.columns[column][1] for one in found]
                assert np.std(between) <= 0.3


@pytest.mark.parametrize("levels", [2, 9, 99])
def test_quantiles_are_in_order_with_the_reward_as_their_mean(levels):
    model = tiny()
    info = describe_head("quantile", {"levels": levels})
    assert len(set(info.columns)) == levels + 1
    attach_outputs(model.network, "quantile", info, seed=0)
    model.keep_head(detach(model.network))
    found = model.score_with_columns(TEXTS)
    quantiles = np.stack([found.columns[name] for name in info.columns[1:]], axis=1)
    assert (np.diff(quantiles, axis=1) > 0).all()
    np.testing.assert_allclose(quantiles.mean(axis=1), found.rewards, atol=1e-5)
    np.testing.assert_allclose(quantiles.std(axis=1), found.columns["std"], atol=1e-5)


def test_given_weights_make_the_reward_the_sum_of_the_attributes():
    model = tiny()
    info = describe_head("multi-objective", {"weights": ["fit=2", "safe=-0.5"]}, PLAN)
    attach_outputs(model.network, "multi-objective", info, seed=0)
    model.keep_head(detach(model.network))
    found = model.score_with_columns(TEXTS)
    raw = 2 * (found.columns["fit"] - 2.5) / 1.5 - 0.5 * found.columns["safe"]
    np.testing.assert_allclose(found.rewards, raw, atol=1e-5)  # biases are 0 in a new head
    for given, told in (("fit", "ATTRIBUTE=NUMBER"), ("other=1", "attributes fit, safe"), ("fit=0", "constant")):
        with pytest.raises(UsageError, match=told):
            describe_head("multi-objective", {"weights": [given]}, PLAN)
    with pytest.raises(UsageError, match="has no attributes"):
        describe_head("multi-objective")


def test_from_training_to_scored_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    rs.train("tiny", "synthetic:60", run, head="odin", max_steps=3, threads=1, report=False)
    assert json.loads((run / "settings.json").read_text())["head"] == {"name": "odin"}
    assert json.loads((run / "settings.json").read_text())["loss"] == "odin"
    stored = json.loads((run / "model" / "reward.json").read_text())
    assert stored["head"] == {"name": "odin", "columns": ["length"], "options": {}}
    assert rs.verify(run).holds
    assert "gives the columns length of the head `odin`" in (run / "model" / "README.md").read_text()
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


def test_the_divergence_is_that_of_torch_summed_over_dimensions():
    from torch.distributions import Normal, kl_divergence

    head = new_head(describe_head("inform", {"latent": 5}), 16, seed=0)
    with torch.no_grad():
        head.bias.normal_(generator=torch.Generator().manual_seed(1))
    features = torch.randn(7, 16, generator=torch.Generator().manual_seed(2)) * 10
    mean, log_variance = head.code(features)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(head.values(features[:, 0], features)[:, 0], expected)
    deviation = head(features[:, 0], features, head.reward_weight())[:, 1]
    drawn = mean + (log_variance / 2).exp() * torch.randn(20000, 7, 5, generator=torch.Generator().manual_seed(3))
    rewards = (drawn @ head.decoder.T).squeeze(-1)
    torch.testing.assert_close(rewards.std(dim=0), deviation, rtol=0.05, atol=0.0)
    torch.testing.assert_close(
        rewards.mean(dim=0),
        (features @ head.reward_weight().T)[:, 0] + (head.decoder @ head.bias[0]),
        rtol=0.1,
        atol=0.05,
    )
