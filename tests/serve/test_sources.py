"""Rewards files on the server: their checks and their model give the reward, and a text without one gets an error."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from builders import tiny
from chat_server import ChatServer, completion
from reward_server import Running, running, started
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
        listed = server.get("/v1/models").json()["models"][1]["columns"]
        assert listed == ["length"] == list(found["results"][0]["columns"])


def test_a_judge_opened_in_another_thread_is_asked_and_holds_up_no_health_route(tmp_path):
    thought = threading.Event()
    chat = ChatServer(reply=lambda *_: thought.wait(60) and completion("Score: 7"))
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
            assert server.post("/v1/score", {"prompt": "Hi", "responses": ["x"]}).status_code == 200
            assert not answer.done()
            thought.set()
            results = answer.result().json()["results"]
            assert [one["reward"] for one in results] == [7.0, 7.0]
            listed = {one["name"]: one["columns"] for one in server.get("/v1/models").json()["models"]}
            assert listed == {"tiny": [], "judge": ["std"]}
            assert list(results[0]["columns"]) == ["std"]
            assert not server.reported
    finally:
        thought.set()
        chat.shutdown()
        chat.server_close()


def test_a_server_does_not_wait_for_a_judge_that_does_not_answer(tmp_path):
    """SIGTERM with a request open: --grace later the process ends, though its judge has a minute to answer."""
    chat = ChatServer(reply=lambda *_: completion("Score: 7"))
    chat.delay = 60.0
    threading.Thread(target=chat.serve_forever, daemon=True).start()
    path = tmp_path / "judge.yaml"
    path.write_text(JUDGE.format(address=chat.address, cache=tmp_path / "answers.sqlite"), encoding="utf-8")
    try:
        with started(path, tmp_path, "--grace", "0.5") as (process, address), ThreadPoolExecutor(1) as asking:
            body = {"prompt": "Hi", "responses": ["a"]}
            answer = asking.submit(httpx.post, f"{address}/v1/score", json=body, timeout=90)
            while not chat.asked:
                time.sleep(0.01)
            stopped = time.monotonic()
            process.terminate()
            assert process.wait(30) == 0
            assert time.monotonic() - stopped < 20
            with contextlib.suppress(httpx.HTTPError):
                assert answer.result().status_code >= 500
    finally:
        chat.shutdown()
        chat.server_close()
