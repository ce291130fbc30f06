"""One function opens whatever stands in the place of MODEL."""

import numpy as np
import pytest

from builders import tiny
from rewardsmith.errors import UsageError
from rewardsmith.records import Comparison, Message, Record, Response
from rewardsmith.rewards.opening import kind_of, open_rewards
from rewardsmith.settings.in_memory import InMemory

NUMERIC = "kind: verifiable\ngold: answer\nrewards:\n  - check: numeric\n"


def record(*texts, **fields):
    responses = tuple(Response((Message("assistant", text),)) for text in texts)
    return Record((Message("user", "2+2?"),), responses, (Comparison(0, 1),), fields=fields)


def test_a_file_is_known_by_its_kind_and_everything_else_is_a_model(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(NUMERIC, encoding="utf-8")
    assert kind_of(path) == kind_of(str(path)) == "verifiable"
    assert kind_of("runs/first") == kind_of(str(tmp_path / "absent.yaml")) == "model"
    path.write_text("kind: other\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'other'.*verifiable"):
        open_rewards(path)
    path.write_text("kind: [verifiable]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="verifiable"):
        kind_of(path)


def test_a_model_gives_the_rewards_of_its_score_records():
    model = tiny()
    records = [record("four", "4"), record("5", "four, which is two and two")]
    source = open_rewards(InMemory("a model", model))
    found = source.score(records)
    assert source.kind == "model"
    for one, expected in zip(found, model.score_records(records), strict=True):
        assert one.rewards == pytest.approx(expected, abs=1e-5)
        assert one.error == ""


def test_every_reward_model_that_is_opened_may_be_adjusted(tmp_path):
    tiny().save(tmp_path / "model")
    (tmp_path / "a.yaml").write_text(
        f"{NUMERIC}  - model: {tmp_path / 'model'}\n    name: m\nfailed: 0\n", encoding="utf-8"
    )
    seen = []
    source = open_rewards(tmp_path / "a.yaml", adjusted=lambda model: seen.append(model) or model)
    (found,) = source.score([record("4", "5", answer="4")])
    assert len(seen) == 1
    assert found.parts["reward_numeric"] == [1.0, 0.0]
    assert found.rewards == pytest.approx(np.array([1.0, 0.0]) + np.array(found.parts["reward_m"]))
    source.close()


def test_a_record_without_a_usable_ground_truth_has_no_rewards_and_is_counted(tmp_path):
    (tmp_path / "a.yaml").write_text(NUMERIC, encoding="utf-8")
    source = open_rewards(tmp_path / "a.yaml")
    good, bad = source.score([record("4", "5", answer="4"), record("4", "5", answer="none")])
    assert list(good.rewards) == [1.0, 0.0]
    assert np.isnan(bad.rewards).all()
    assert (bad.code, source.counted()["bad_gold"]) == ("bad_gold", 1)
    assert "none" in bad.error
