"""A critiqued model as a source of rewards: its critiques beside the rewards, what was cut counted, refusals named."""

import numpy as np
import pytest

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.critique.critic import CritiqueSettings
from rewardsmith.critique.model import CritiqueModel
from rewardsmith.errors import UsageError
from rewardsmith.model.language_head.weights import attach_language_head
from rewardsmith.records import Message, Record, Response
from rewardsmith.rewards.opening import kind_of, open_rewards
from rewardsmith.settings.in_memory import InMemory

RECORDS = [pair("What is 2 + 3?", "Five.", "Six."), pair("天空为什么是蓝色的？", "散射。", "不知道。")]


@pytest.fixture
def model():
    made = tiny(max_length=320, head_scale=20.0)
    attach_language_head(made.network, None, learns=False)
    return CritiqueModel(made, CritiqueSettings(tokens=6, samples=2))


def test_a_folder_and_a_model_in_memory_give_the_same(model, tmp_path):
    model.save(tmp_path / "m")
    assert kind_of(tmp_path / "m") == kind_of(InMemory("here", model)) == "critiqued"
    opened = [open_rewards(tmp_path / "m", device="cpu"), open_rewards(InMemory("here", model))]
    found = [source.score(RECORDS) for source in opened]
    for one, other, expected in zip(*found, model.critiqued(RECORDS), strict=True):
        np.testing.assert_array_equal(one.rewards, other.rewards)
        np.testing.assert_allclose(one.rewards, expected.rewards, atol=1e-5)
        assert one.parts["critiques"] == [[each.text for each in some] for some in expected.critiques]
        np.testing.assert_allclose(one.parts["reward_std"], expected.spread, atol=1e-5)
    counted = opened[0].counted()
    assert counted["critiques"] == 8
    assert 0 < counted["critiques_truncated"] <= 8
    assert f"{counted['critiques_truncated']} of 8" in "".join(opened[0].lines())


def test_a_record_that_cannot_be_rendered_has_an_error_and_the_others_their_rewards(model):
    endless = Record((Message("system", "x" * 400), Message("user", "?")), (Response((Message("assistant", "a"),)),))
    source = open_rewards(InMemory("here", model))
    first, second = source.score([endless, RECORDS[0]])
    assert first.code == "not_scorable"
    assert np.isnan(first.rewards).all()
    assert np.isfinite(second.rewards).all()
    assert source.counted()["critiques"] == 4


def test_python_takes_an_open_model(model, tmp_path):
    rows = rs.score(model, RECORDS)
    assert [len(row["critiques"]) for row in rows] == [2, 2]
    expected = [one.rewards for one in model.critiqued(RECORDS)]
    np.testing.assert_allclose([row["rewards"] for row in rows], expected, atol=1e-5)
    assert rs.evaluate(model, RECORDS).summary["contract"] == "critiqued"
    with pytest.raises(UsageError, match="already open"):
        rs.score(model, RECORDS, device="cpu")
    with pytest.raises(UsageError, match="--per-token"):
        rs.score(model, RECORDS, per_token=True)
    ids = model.inner.tokenizer("Five.", add_special_tokens=False)["input_ids"]
    reward = rs.compute_reward(model, model.inner.tokenizer, "What is 2 + 3?", ids)
    assert reward == pytest.approx(expected[0][0], abs=1e-4)
