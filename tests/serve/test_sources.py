"""Rewards files on the server: their checks and their model give the reward, and a text without one gets an error."""

import pytest

from builders import tiny
from reward_server import Running, running
from rewardsmith.pipelines.serving.config import Config
from rewardsmith.pipelines.serving.pipeline import open_served
from rewardsmith.serve.models.registry import Named
from rewardsmith.serve.models.source import ServedSource

RULES = """kind: verifiable
rewards:
  - check: length
    max: 10
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rewards.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_a_rewards_file_is_served_beside_a_model(rules, monkeypatch):
    opened = open_served(Named("rules", str(rules)), Config(models=(str(rules),)), None)
    assert isinstance(opened, ServedSource)
    with running({"tiny": tiny()}) as server:
        assert isinstance(server, Running)
        server.service.registry.models["rules"] = opened
        server.service.registry.named["rules"] = Named("rules", str(rules))
        body = {"model": "rules", "prompt": "Hi", "responses": ["short", "a response that is too long"]}
        found = server.post("/v1/score", body).json()
        good, bad = (one["reward"] for one in found["results"])
        assert good > bad
        assert server.post("/v1/rank", body).json()["ranking"][0]["index"] == 0
        assert server.post("/v1/score", {"model": "rules", "texts": ["x"]}).status_code == 422
        assert server.post("/v1/score", {"model": "rules", "responses": ["x"], "per_token": True}).status_code == 422
        assert [one["kind"] for one in server.get("/v1/models").json()["models"]] == ["model", "verifiable"]
        assert not server.reported
