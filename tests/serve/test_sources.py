"""Rewards files on the server: their checks and their model give the reward, and a text without one gets an error."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from builders import tiny
from chat_server import ChatServer, completion
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


JUDGE = """kind: pointwise
prompt: ten-points
reading: text
endpoint:
  url: {address}
  model: m
cache: {cache}
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


def test_a_judge_opened_in_another_thread_is_asked_and_holds_up_no_health_route(tmp_path):
    chat = ChatServer(reply=lambda *_: completion("Score: 7"))
    chat.delay = 0.5
    threading.Thread(target=chat.serve_forever, daemon=True).start()
    path = tmp_path / "judge.yaml"
    path.write_text(JUDGE.format(address=chat.address, cache=tmp_path / "answers.sqlite"), encoding="utf-8")
    try:
        with running({"tiny": tiny()}) as server, ThreadPoolExecutor(2) as asking:  # whose threads live until the end
            judge = asking.submit(open_served, Named("judge", str(path)), Config(models=(str(path),)), None).result()
            server.service.registry.models["judge"] = judge
            server.service.registry.named["judge"] = Named("judge", str(path))
            body = {"model": "judge", "prompt": "Hi", "responses": ["a", "bb"]}
            answer = asking.submit(server.post, "/v1/score", body, timeout=30)
            while not (chat.asked or answer.done()):
                time.sleep(0.01)
            assert [server.get(route).status_code for route in ("/health/live", "/health/ready", "/metrics")] == [
                200
            ] * 3
            assert not answer.done()
            assert [one["reward"] for one in answer.result().json()["results"]] == [7.0, 7.0]
            assert not server.reported
    finally:
        chat.shutdown()
        chat.server_close()
