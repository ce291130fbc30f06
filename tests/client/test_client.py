"""The client against a server that runs, and against servers that fail: an error is raised, a reward is never made up."""

import asyncio
import http.server
import json
import threading
import time

import numpy as np
import pytest

from builders import tiny
from reward_server import running
from rewardsmith.client import AsyncClient, Client
from rewardsmith.errors import DataError, ServerError

CONVERSATIONS = [
    "a bare response",
    [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
    [{"role": "user", "content": "天空？"}, {"role": "assistant", "content": "蓝色。"}],
]


@pytest.fixture(scope="module")
def model():
    return tiny(head_scale=20.0)


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model, "other": tiny(seed=1)}) as found:
        yield found


def test_the_client_gives_what_the_model_gives(server, model):
    with Client(server.address) as client:
        assert client.ready()
        np.testing.assert_allclose(client.score(CONVERSATIONS), model.score(CONVERSATIONS), atol=1e-5)
        assert client.score([]).shape == (0,)
        found = client.rank("Hi", ["yes", "no", "maybe"])
        expected = model.rank("Hi", ["yes", "no", "maybe"])
        assert [index for index, _ in found] == [index for index, _ in expected]
        assert client.compare("Hi", "yes", "no")["margin"] == pytest.approx(
            dict(expected)[0] - dict(expected)[1], abs=1e-5
        )
        assert [one["name"] for one in client.models()] == ["tiny", "other"]
        (one,) = client.results(["x"])
        assert (one.tokens > 0, one.truncated, one.z) == (True, False, None)


def test_many_conversations_are_sent_in_parts(server, model):
    many = [f"response {k}" for k in range(600)]
    before = server.service.metrics.requests.total()
    with Client(server.address) as client:
        np.testing.assert_allclose(client.score(many), model.score(many), atol=1e-5)
    assert server.service.metrics.requests.total() - before == 3


def test_the_async_client_gives_the_same(server, model):
    async def ask():
        async with AsyncClient(server.address, model="tiny") as client:
            one_by_one = await asyncio.gather(*(client.score([turns]) for turns in CONVERSATIONS))
            others = await client.ready(), await client.models(), await client.rendered(["Hi there"], ["Hi"])
            return np.concatenate(one_by_one), await client.rank("Hi", ["yes", "no"]), others

    rewards, ranked, others = asyncio.run(ask())
    with Client(server.address, model="tiny") as client:
        assert others == (client.ready(), client.models(), client.rendered(["Hi there"], ["Hi"]))
    np.testing.assert_allclose(rewards, model.score(CONVERSATIONS), atol=1e-5)
    assert [index for index, _ in ranked] == [index for index, _ in model.rank("Hi", ["yes", "no"])]


def test_the_async_client_has_every_method_of_the_other():
    def public(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(AsyncClient) == public(Client)


def test_what_the_server_refuses_is_an_error_with_its_reason(server):
    with Client(server.address) as client, pytest.raises(ServerError, match="256"):
        client.score(["long " * 2000])
    with Client(server.address, model="none") as client, pytest.raises(ServerError, match="404"):
        client.score(["x"])


def test_what_is_no_conversation_is_refused_before_it_is_sent(server):
    with Client(server.address) as client:
        for wrong in (5, {"role": "user"}, [5]):
            with pytest.raises(DataError):
                client.score([wrong])
    with pytest.raises(DataError, match="http://"):
        Client("localhost:8000")


def result(reward):
    known = {"columns": {}, "tokens": 1, "truncated": False, "uncertainty": None}
    return {"reward": reward, **known, "z": None, "percentile": None, "p_better": None}


GOOD = {"results": [result(1.5)]}


class Scripted(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.times.append(time.monotonic())
        step = self.server.script.pop(0) if self.server.script else (200, GOOD)
        if step == "close":
            self.close_connection = True
            return
        status, body = step
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        if status == 503:
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def scripted():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads, server.script, server.times = True, [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_port}"


def test_failures_that_pass_are_tried_again_as_late_as_the_server_asks(scripted):
    error = {"error": {"code": "overloaded", "message": "full", "path": ""}}
    scripted.script = ["close", (503, error), (429, b""), (502, b"<html>")]
    with Client(address(scripted)) as client:
        assert client.score(["x"]).tolist() == [1.5]
    assert len(scripted.times) == 5
    assert scripted.times[2] - scripted.times[1] >= 1


@pytest.mark.parametrize(
    "body",
    [
        {"results": []},
        {"results": [result(1.0), result(2.0)]},
        {"results": [result(None)]},
        {"results": [{"reward": 1.0}]},
        {"rewards": [1.0]},
        b'{"results": [NaN',
        b"<html>",
        [],
    ],
)
def test_a_wrong_answer_is_an_error_and_no_reward(scripted, body):
    scripted.script = [(200, body)]
    with Client(address(scripted), retries=0) as client, pytest.raises(ServerError):
        client.score(["x"])


def test_a_refusal_is_not_tried_again(scripted):
    scripted.script = [(422, {"error": {"code": "x", "message": "too long", "path": "texts[0]"}})]
    with Client(address(scripted)) as client, pytest.raises(ServerError, match=r"too long \(texts\[0\]\)"):
        client.score(["x"])
    assert len(scripted.times) == 1


def test_a_server_that_is_down_is_an_error():
    with Client("http://127.0.0.1:9", retries=1) as client:
        assert not client.ready()
        with pytest.raises(ServerError, match="after 2 tries"):
            client.score(["x"])

    async def ask():
        async with AsyncClient("http://127.0.0.1:9", retries=0) as client:
            await client.score(["x"])

    with pytest.raises(ServerError, match="after 1 tries"):
        asyncio.run(ask())


def test_the_key_goes_with_every_request(model, monkeypatch):
    key = "a-key-of-the-tests-0123456789"
    with running({"tiny": model}, key=key) as server:
        with Client(server.address) as client, pytest.raises(ServerError, match="401"):
            client.score(["x"])
        with Client(server.address, key=key) as client:
            assert client.score(["x"]).shape == (1,)
        monkeypatch.setenv("REWARDSMITH_API_KEY", key)
        with Client(server.address) as client:
            assert client.score(["x"]).shape == (1,)


def test_a_key_that_cannot_be_sent_is_refused_without_being_quoted(model, monkeypatch):
    for key in ("secret-of-the-tests\nX: y", "sécret-of-the-tests"):
        with pytest.raises(DataError, match="the key in key") as refused:
            Client("http://127.0.0.1:9", key=key)
        assert "cret-of" not in str(refused.value)
    key = "a-key-of-the-tests-0123456789"
    monkeypatch.setenv("REWARDSMITH_API_KEY", f"{key}\n")  # as `export KEY="$(cat FILE; echo)"` leaves it
    with running({"tiny": model}, key=key) as server, Client(server.address) as client:
        assert client.score(["x"]).shape == (1,)


def test_a_password_in_the_address_is_not_in_the_error():
    with Client("http://me:pass-of-the-tests@127.0.0.1:9", retries=0) as client, pytest.raises(ServerError) as failed:
        client.score(["x"])
    assert "pass-of" not in str(failed.value)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://x:99999", "ftp://x", "localhost:8000"])
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(DataError, match="the address of the server"):
        Client(url)


def test_half_a_surrogate_pair_is_refused_before_it_is_sent():
    with Client("http://127.0.0.1:9", retries=0) as client:
        for ask in (lambda: client.score(["\ud800"]), lambda: client.rank("\ud800", ["x"])):
            with pytest.raises(DataError, match="JSON"):
                ask()


def test_a_column_that_is_no_number_is_an_error(scripted):
    scripted.script = [(200, {"results": [{**result(1.0), "columns": {"std": None}}]})]
    with Client(address(scripted), retries=0) as client, pytest.raises(ServerError, match="as std"):
        client.score(["x"])
