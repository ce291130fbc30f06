"""A server that is down, busy, or wrong is an error in time, never a reward."""

import http.server
import json
import threading

import pytest

from rewardsmith.errors import ServerError, UsageError
from rewardsmith.rl import trl_reward


class Answers:
    """A server on loopback that gives the prepared answers in turn: (status, headers, body), and keeps what it was asked."""

    def __init__(self, *answers):
        self.asked, self.left = [], list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
                status, headers, body = outer.left.pop(0) if len(outer.left) > 1 else outer.left[0]
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def result(reward, **columns):
    others = {"uncertainty": None, "z": None, "percentile": None, "p_better": None}
    return {"reward": reward, "columns": columns, "tokens": 3, "truncated": False, **others}


def messages(*texts):
    return {
        "prompts": [[{"role": "user", "content": "Q"}] for _ in texts],
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
    }


def test_a_server_that_is_down_is_an_error():
    with pytest.raises(ServerError, match="no rewards from"):
        trl_reward("http://127.0.0.1:1", retries=1)(**messages("a"))


def test_a_busy_server_is_asked_again():
    with Answers((503, {"retry-after": "0"}, {}), (200, {}, {"results": [result(1.5)]})) as server:
        assert trl_reward(server.address)(**messages("a")) == [1.5]
        assert len(server.asked) == 2
        path, body = server.asked[0]
    assert path == "/v1/score"
    assert body["truncate"] is True
    assert body["conversations"] == [[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"}]]


def test_a_server_that_stays_busy_is_an_error():
    with Answers((503, {}, {})) as server, pytest.raises(ServerError, match="status 503"):
        trl_reward(server.address, retries=1)(**messages("a"))


@pytest.mark.parametrize(
    "answer",
    [
        (422, {}, {"error": {"code": "text", "message": "too long", "path": ""}}),
        (401, {}, {}),
        (200, {}, b"<html>"),
        (200, {}, {"results": []}),
        (200, {}, {"results": [result(1.0), result(2.0)]}),
        (200, {}, {"results": [result(None)]}),
        (200, {}, {"results": [result("1.0")]}),
    ],
)
def test_what_is_no_reward_is_an_error(answer):
    with Answers(answer) as server, pytest.raises(ServerError):
        trl_reward(server.address, retries=0)(**messages("a"))


@pytest.mark.parametrize(
    "answer",
    [
        {"rewards": [1.0, 2.0], "scores": [], "extra_logs": {}},
        {"rewards": [None], "scores": [], "extra_logs": {}},
        {"rewards": [1.0], "scores": [], "extra_logs": {"safe": []}},
        [1.0],
    ],
)
def test_the_same_for_texts_without_messages(answer):
    with Answers((200, {}, answer)) as server, pytest.raises(ServerError):
        trl_reward(server.address, retries=0)(prompts=["Q"], completions=["a"])


def test_texts_without_messages_are_asked_for_as_openrlhf_does():
    with Answers((200, {}, {"rewards": [1.5], "scores": [1.5], "extra_logs": {}})) as server:
        assert trl_reward(server.address)(prompts=["Q"], completions=["a"]) == [1.5]
        assert server.asked == [("/get_reward", {"query": ["Qa"], "prompts": ["Q"]})]


def test_columns_and_the_name_of_the_model():
    with Answers((200, {}, {"results": [result(1.0, safe=0.25)]})) as server:
        reward = trl_reward(server.address, served="second", column="safe")
        assert reward(**messages("a")) == [0.25]
        assert reward.__name__ == "second_safe"
        assert server.asked[0][1]["model"] == "second"


def test_the_key_is_sent(monkeypatch):
    monkeypatch.setenv("REWARDSMITH_API_KEY", "secret")
    from rewardsmith.rl.remote import RemoteRewards

    assert RemoteRewards("http://127.0.0.1:1").client.address.headers["authorization"] == "Bearer secret"


def test_an_address_with_a_secret_in_it_is_refused_without_showing_it():
    for address in ("http://user:hidden@127.0.0.1:1", "http://127.0.0.1:1?key=hidden"):
        with pytest.raises(UsageError, match="REWARDSMITH_API_KEY") as caught:
            trl_reward(address)
        assert "hidden" not in str(caught.value)


def test_only_columns_that_every_text_has_are_read():
    """A judge that could not be read on a criterion gives no column of it for this text."""
    both = {"results": [result(1.0, helpful=3.0, honest=2.0), result(0.5, honest=4.0)]}
    with Answers((200, {}, both)) as server:
        assert trl_reward(server.address)(**messages("a", "b")) == [1.0, 0.5]
        assert trl_reward(server.address, column="honest")(**messages("a", "b")) == [2.0, 4.0]
        with pytest.raises(UsageError, match="helpful"):
            trl_reward(server.address, column="helpful")(**messages("a", "b"))
