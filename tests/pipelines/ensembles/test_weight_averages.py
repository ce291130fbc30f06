"""Weight averages: of equal models the model itself, by hand, measured beside the members, refused for what has none."""

import json

import numpy as np
import pytest
import torch

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.commands import merge as command
from rewardsmith.errors import ContractError, ModelError, UsageError
from rewardsmith.pipelines.ensembles.merging import averaged, checked, farthest, refuse_unaveraged

TEXTS = ["A good answer.", "nothing", "The sum of two and two is four."]


def near(number, scale=0.05):
    """The tiny model with its weights moved a little, as training moves them."""
    model, draw = tiny(seed=1), torch.Generator().manual_seed(number)
    with torch.no_grad():
        for parameter in model.network.hf.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw) * scale * parameter.std())
    return model


def test_the_average_of_equal_models_is_the_model():
    found = averaged([tiny(seed=1) for _ in range(3)])
    np.testing.assert_array_equal(found.score(TEXTS), tiny(seed=1).score(TEXTS))
    assert farthest([tiny(seed=1), tiny(seed=1)]) == 0


def test_the_average_has_the_mean_of_every_weight_whatever_the_order():
    names = list(dict(near(1).network.hf.named_parameters()))
    mean = {n: (near(1).network.hf.state_dict()[n] + near(2).network.hf.state_dict()[n]) / 2 for n in names}
    for order in ((1, 2), (2, 1)):
        models = [near(number) for number in order]
        models[0].network.offset = 3.0
        found = averaged(models)
        assert found.network.offset == found.sidecar.offset == 1.5
        for name, value in found.network.hf.named_parameters():
            torch.testing.assert_close(value, mean[name], rtol=0, atol=1e-7)


def test_the_check_by_hand():
    records = [pair(f"Q{k}", "a", "b") for k in range(4)]
    margin = np.array([1.0, 2.0, -1.0, 3.0])
    members = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, 5.0]])
    found = checked(records, margin, members)
    assert (found.n, found.accuracy, found.members) == (4, 0.75, (0.5, 0.5))
    assert found.difference == pytest.approx(0.25)  # (1/2 + 0 + 0 + 1/2) / 4
    assert found.ci[0] <= 0.25 <= found.ci[1]
    assert found.known == "no significant difference"
    many = checked(records * 100, np.tile(margin, 100), np.tile(-np.abs(members), (100, 1)))
    assert many.to_json()["known"] == "no significant difference"  # 400 comparisons of the same four prompts
    records = [pair(f"Q{k}", "a", "b") for k in range(400)]
    assert checked(records, np.tile(margin, 100), np.tile(members, (100, 1))).known == "the average is better"
    assert checked(records, np.tile(-margin, 100), np.tile(np.abs(members), (100, 1))).known == "the average is worse"


def test_models_without_an_average_are_refused():
    with pytest.raises(UsageError, match="two models or more, got 1"):
        refuse_unaveraged([tiny()], ["a"])
    with pytest.raises(ModelError, match="a and b have other shapes"):
        refuse_unaveraged([tiny(), tiny(n_layer=3)], ["a", "b"])
    with pytest.raises(ContractError, match="different scoring contracts"):
        refuse_unaveraged([tiny(), tiny(max_length=128)], ["a", "b"])


def test_merge_measures_on_data_that_no_member_was_trained_on(tmp_path):
    for number in (1, 2):
        near(number).save(tmp_path / f"m{number}")
    rows = ({"prompt": f"Q{k}", "chosen": f"Answer {k}.", "rejected": f"{k}"} for k in range(12))
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    names = (str(tmp_path / "m1"), str(tmp_path / "m2"))
    given = command.Config(members=names, output=tmp_path / "m", data=(str(data),), validation=(str(data),))
    result = command.run(given)
    assert result.check["n"] == 12
    assert 0 < result.distance < 0.5
    assert "on 12 held-out comparisons" in result.to_text()
    model = rs.RewardModel.load(tmp_path / "m")
    assert model.sidecar.calibration is not None
    assert model.ensemble is None
    assert "not measured" in command.run(command.Config(members=names, output=tmp_path / "bare")).to_text()
    with pytest.raises(UsageError, match="two or more"):
        command.Config(members=names[:1], output=tmp_path / "n")


def test_prompts_that_a_member_was_trained_on_are_left_out(tmp_path):
    settings = {"n_layer": 1, "max_steps": 1, "threads": 1, "report": False, "evals": 1}
    for seed in (0, 1):
        rs.train("tiny", "synthetic:120", tmp_path / f"r{seed}", seed=seed, **settings)
    names = (str(tmp_path / "r0"), str(tmp_path / "r1"))
    alone, together = (
        command.run(command.Config(members=(names[0], other), output=tmp_path / f"m{k}")).check
        for k, other in enumerate([names[0] + "/model", names[1]])
    )
    assert (
        together is None or together["n"] < alone["n"]
    )  # seeds split differently: the test prompts of one train the other
