"""A server in operation: the key, health, clients that go, the end, and counts that add up."""

import base64
import functools
import json
import re
import socket
import subprocess
import threading
import time

import httpx
import orjson
import pytest

from builders import tiny
from reward_server import JSON, connected, head_of, held, one_answer, running, started
from rewardsmith.errors import UsageError
from rewardsmith.launch import children
from rewardsmith.serve.engine.engine import EngineLimits
from rewardsmith.serve.http.deadlines import DeadlineProtocol
from rewardsmith.serve.http.key import read_key
from rewardsmith.serve.models.served import ServedModel

KEY = "a-key-of-the-tests-0123456789"
GOOD = {"prompt": "Hi", "responses": ["Hello"]}


@pytest.fixture(scope="module")
def model():
    return tiny(head_scale=20.0)


def in_background(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    return thread, found


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_route_but_health_asks_for_the_key(model):
    with running({"tiny": model}, key=KEY) as server:
        for path in ("/v1/models", "/metrics", "/openapi.json", "/docs", "/", "/nothing"):
            answer = server.get(path)
            assert answer.status_code == 401
            assert answer.json()["error"]["message"] == "unauthorized"
            assert "www-authenticate" in answer.headers
        assert server.post("/v1/score", GOOD).status_code == 401
        assert server.post("/v1/score", GOOD, headers={"authorization": f"Bearer {KEY}x"}).status_code == 401
        assert server.post("/v1/score", GOOD, headers={"authorization": "Basic %%%"}).status_code == 401
        for path in ("/health/live", "/health/ready"):
            assert server.get(path).status_code == 200
        basic = base64.b64encode(f"me:{KEY}".encode()).decode()
        for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"authorization": f"Basic {basic}"}):
            assert server.post("/v1/score", GOOD, headers=headers).status_code == 200


def test_a_key_comes_from_the_environment_or_a_file(monkeypatch, tmp_path):
    monkeypatch.delenv("REWARDSMITH_API_KEY", raising=False)
    assert read_key(None) is None
    monkeypatch.setenv("REWARDSMITH_API_KEY", KEY)
    assert read_key(None) == KEY
    (tmp_path / "key").write_text("another-key-0123456789\n", encoding="utf-8")
    assert read_key(tmp_path / "key") == "another-key-0123456789"
    (tmp_path / "key").write_text("short", encoding="utf-8")
    with pytest.raises(UsageError, match="5 characters"):
        read_key(tmp_path / "key")
    (tmp_path / "key").write_bytes(b"\xfd" * 32)
    with pytest.raises(UsageError, match="not UTF-8"):
        read_key(tmp_path / "key")


def test_ready_means_that_a_model_has_scored(model):
    with running({"tiny": model}, ready=False) as server:
        assert server.get("/health/live").status_code == 200
        assert server.get("/health/ready").json()["error"]["code"] == "loading"
        refused = server.post("/v1/score", GOOD)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        server.open()
        assert server.get("/health/ready").status_code == 200
        assert server.post("/v1/score", GOOD).status_code == 200


def test_overload_is_refused_before_the_body_and_readiness_follows(model, monkeypatch):
    lock, slow = held()
    with running({"tiny": model}, limits=EngineLimits(waiting_tokens=40, budget=64)) as server:
        monkeypatch.setattr(ServedModel, "compute", slow)
        monkeypatch.setattr("rewardsmith.serve.app.operating.FULL_SECONDS", 0.1)
        with lock:
            threads = [in_background(lambda: server.post("/v1/score", GOOD, timeout=30)) for _ in range(2)]
            until(lambda: server.engine.waiting_too_long)
            with connected(server) as connection:
                connection.sendall(head_of(50))
                found = one_answer(connection)
            assert b" 503 " in found
            assert re.search(rb"retry-after: \d+\r\n", found)
            assert b'"overloaded"' in found
            time.sleep(0.2)
            assert server.get("/health/ready").status_code == 503
            assert server.get("/health/live").status_code == 200
        for thread, answers in threads:
            thread.join()
            assert answers[0].status_code == 200
        assert server.get("/health/ready").status_code == 200


def test_work_of_clients_that_have_gone_is_dropped(model, monkeypatch):
    lock, slow = held()
    body = orjson.dumps(GOOD)
    with running({"tiny": model}) as server:
        monkeypatch.setattr(ServedModel, "compute", slow)
        with lock:
            thread, answers = in_background(lambda: server.post("/v1/score", GOOD, timeout=30))
            until(slow.begun.is_set)
            before = server.engine.computing.counts.texts
            for _ in range(100):
                with connected(server) as connection:
                    connection.sendall(head_of(len(body)) + body)
                    until(lambda: server.service.metrics.open_requests > 1)
            until(lambda: server.service.metrics.open_requests == 1)
        thread.join()
        until(lambda: server.engine.waiting == 0)
        assert answers[0].status_code == 200
        assert server.engine.computing.counts.texts == before + 1
        assert server.service.metrics.disconnected == 100
        assert server.engine.reserved == 0
        assert not server.reported


def test_counters_add_up_to_what_the_client_has_seen(model):
    with running({"tiny": model}) as server:
        start = server.service.metrics.texts["tiny"]
        seen = [server.post("/v1/score", {"responses": ["Hello"] * count}).json()["tokens"] for count in (1, 2, 3)]
        assert server.post("/v1/score", {"responses": [1]}).status_code == 422
        assert server.get("/not/there").status_code == 404
        page = server.get("/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        values = dict(line.rsplit(" ", 1) for line in page.text.splitlines() if not line.startswith("#"))
        assert float(values['rewardsmith_requests_total{route="/v1/score",code="200"}']) == 3
        assert float(values['rewardsmith_requests_total{route="/v1/score",code="422"}']) == 1
        assert float(values['rewardsmith_requests_total{route="other",code="404"}']) == 1
        assert float(values['rewardsmith_texts_total{model="tiny"}']) - start == 6
        assert float(values['rewardsmith_tokens_total{model="tiny"}']) == sum(seen)
        assert float(values['rewardsmith_reward_count{model="tiny"}']) == 6
        assert float(values['rewardsmith_request_seconds_bucket{route="/v1/score",le="+Inf"}']) == 4
        assert "rewardsmith_model_info" in page.text


def test_a_request_keeps_the_id_that_it_was_given(model):
    with running({"tiny": model}) as server:
        assert server.get("/health/live", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
        made = server.get("/health/live", headers={"x-request-id": "no id\tat all"}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", made)


def test_a_bug_is_a_500_without_its_message(model, monkeypatch):
    def broken(self, texts, budget):
        raise ZeroDivisionError("secret text")

    with running({"tiny": model}) as server:
        monkeypatch.setattr(ServedModel, "compute", broken)
        answer = server.post("/v1/score", GOOD)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert server.reported
        monkeypatch.undo()
        assert server.post("/v1/score", GOOD).status_code == 200


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("served") / "model"
    model.save(place)
    return place


def test_sigterm_answers_what_has_begun_and_ends_with_0(folder, tmp_path):
    with started(folder, tmp_path, "--json", "--queue-seconds", "60", key=KEY) as (process, address):
        headers = {**JSON, "authorization": f"Bearer {KEY}"}
        responses = [f"Some text that is number {k} " * 20 for k in range(60)]

        def ask(number):
            body = {"prompt": f"Say it {number}", "responses": responses, "truncate": True}
            return httpx.post(f"{address}/v1/score", json=body, headers=headers, timeout=60)

        threads = [in_background(functools.partial(ask, number)) for number in range(8)]

        def begun():
            page = httpx.get(f"{address}/metrics", headers=headers).text
            return int(float(re.search(r"\nrewardsmith_open_requests (\S+)", page)[1])) >= 9  # this one counts

        until(begun, 60)
        process.terminate()
        for thread, answers in threads:
            thread.join()
            assert answers[0].status_code == 200
            assert len(answers[0].json()["results"]) == 60
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert json.loads(output)["requests"]["200"] >= 8
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/health/live")
        log = (tmp_path / "log").read_text(encoding="utf-8")
        assert "Some text" not in log
        assert KEY not in log
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert {line["status"] for line in lines if line["route"] == "/v1/score"} == {200}


def test_a_model_that_cannot_be_opened_ends_the_command(tmp_path):
    words = children.python("rewardsmith", "serve", str(tmp_path / "none"), "--port", "0")
    done = subprocess.run(words, capture_output=True, env=children.environment(), timeout=120, check=False)
    assert done.returncode == 1
    assert b"error:" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"listening" not in done.stderr


def test_answers_are_sent_at_once(monkeypatch):
    """Nagle's algorithm would hold a body back until the client has acknowledged the headers: 40 ms a request."""
    taken, made = [], DeadlineProtocol.connection_made

    def noted(protocol, transport):
        taken.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(protocol, transport)

    monkeypatch.setattr(DeadlineProtocol, "connection_made", noted)
    with running({"tiny": tiny()}) as server:
        assert server.post("/v1/score", GOOD).status_code == 200
    assert taken
    assert all(taken)
