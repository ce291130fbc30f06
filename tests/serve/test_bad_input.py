"""What clients must not send: always the documented status and a JSON error, never 200, never 500."""

import contextlib
import gzip
import time

import orjson
import pytest

from builders import tiny
from reward_server import JSON, connected, head_of, one_answer, running
from rewardsmith.serve.app.service import RequestLimits

LIMIT = 20_000
GOOD = {"prompt": "Hi", "responses": ["Hello"]}


@pytest.fixture(scope="module")
def server():
    limits = RequestLimits(body_bytes=LIMIT, texts=50, header_seconds=0.6, body_seconds=1.2)
    with running({"tiny": tiny()}, requests=limits, connections=60) as found:
        yield found
        assert not found.reported


BODIES = {
    "malformed": (b'{"prompt": ', 400),
    "empty": (b"", 400),
    "an array": (b"[]", 400),
    "NaN": (b'{"responses": [NaN]}', 400),
    "Infinity": (b'{"responses": ["a"], "x": Infinity}', 400),
    "a number beyond floats": (b'{"responses": ["a"], "x": 1e999}', 400),
    "an integer beyond 64 bits": (b'{"responses": ["a"], "x": 99999999999999999999}', 400),
    "nested deeply": (b'{"x":' * 5_000 + b"1" + b"}" * 5_000, (400, 413)),
    "nested arrays": (b'{"x":' + b"[" * 9_000 + b"]" * 9_000 + b"}", 400),
    "not UTF-8": (b'{"responses": ["\xff"]}', 400),
    "half a surrogate pair": (b'{"responses": ["\\ud800"]}', 400),
    "a key twice": (b'{"responses": ["a"], "responses": ["b"]}', 400),
    "a byte order mark": (b'\xef\xbb\xbf{"responses": ["a"]}', 400),
    "trailing junk": (b'{"responses": ["a"]} x', 400),
    "an unknown field": ({**GOOD, "temperature": 1}, 422),
    "a missing field": ({"prompt": "Hi"}, 422),
    "two forms": ({**GOOD, "texts": ["a"]}, 422),
    "prompt without responses": ({"prompt": "Hi", "texts": ["a"]}, 422),
    "a number as text": ({"responses": [5]}, 422),
    "a text as list": ({"responses": "abc"}, 422),
    "null": ({"responses": None}, 422),
    "an unknown role": ({"conversations": [[{"role": "robot", "content": "x"}]]}, 422),
    "an empty conversation": ({"conversations": [[]]}, 422),
    "a conversation that ends with the user": ({"conversations": [[{"role": "user", "content": "x"}]]}, 422),
    "values per token of a rendered text": ({"texts": ["x"], "per_token": True}, 422),
    "too many texts": ({"responses": ["a"] * 51}, 413),
    "an unknown model": ({**GOOD, "model": "none"}, 404),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_cannot_be_scored(server, name):
    body, expected = BODIES[name]
    answer = server.post("/v1/score", body)
    assert answer.status_code in (expected if isinstance(expected, tuple) else (expected,)), answer.text
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]
    assert "path" in error


def test_an_error_names_its_place(server):
    body = {"conversations": [[{"role": "user", "content": "x"}, {"role": "assistant", "content": 5}]]}
    assert server.post("/v1/score", body).json()["error"]["path"] == "conversations[0][1].content"


def test_nul_is_a_character(server):
    assert server.post("/v1/score", {"responses": ["a\0b"]}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_said_to_be_json(server, kind):
    assert server.post("/v1/score", GOOD, headers={"content-type": kind}).status_code == 415


def test_wrong_methods_and_paths(server):
    assert server.get("/v1/score").status_code == 405
    assert server.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert server.post("/health/live", GOOD).status_code == 405


def test_a_large_body_is_refused_before_it_is_read(server):
    with connected(server) as connection:
        head = (
            f"POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {10**9}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert b" 413 " in one_answer(connection)


def test_a_body_without_length_is_refused_at_the_limit(server):
    def chunks():
        for _ in range(1000):
            yield b" " * 1000

    import httpx

    answer = httpx.post(server.address + "/v1/score", content=chunks(), headers=JSON)
    assert answer.status_code == 413


def test_gzip_is_counted_unpacked(server):
    headers = {"content-encoding": "gzip"}
    assert server.post("/v1/score", gzip.compress(orjson.dumps(GOOD)), headers=headers).status_code == 200
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) > LIMIT
    small = gzip.compress(b" " * (LIMIT + 1))
    assert len(small) < LIMIT
    assert server.post("/v1/score", small, headers=headers).status_code == 413
    assert server.post("/v1/score", gzip.compress(b"{}")[:-4], headers=headers).status_code == 400
    assert server.post("/v1/score", b"no gzip", headers=headers).status_code == 400
    assert server.post("/v1/score", GOOD, headers={"content-encoding": "br"}).status_code == 415


def answer_of(connection):
    parts = []
    while part := connection.recv(10_000):
        parts.append(part)
    return b"".join(parts)


def test_slow_headers_are_cut_off(server):
    with connected(server) as connection:
        started = time.monotonic()
        connection.sendall(b"POST /v1/score HTTP/1.1\r\nhost: x\r\n")
        assert b" 408 " in answer_of(connection)
        assert time.monotonic() - started < 3


def test_headers_byte_by_byte_are_cut_off_too(server):
    with connected(server) as connection:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 10:
                connection.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - started < 4


def test_a_slow_body_is_cut_off(server):
    with connected(server) as connection:
        started = time.monotonic()
        connection.sendall(head_of(90) + b"{")
        found = answer_of(connection)
        assert b" 408 " in found
        assert b'"timeout"' in found
        assert time.monotonic() - started < 5


def test_an_idle_connection_is_closed(server):
    with connected(server) as connection:
        started = time.monotonic()
        answer_of(connection)
        assert time.monotonic() - started < 3


def test_more_connections_than_allowed_are_told_to_come_again(server):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(server)) for _ in range(60)]
        time.sleep(0.2)
        with connected(server) as one_more:
            found = answer_of(one_more)
        assert b" 503 " in found
        assert b"retry-after" in found.lower()
        assert len(held) == 60


def test_the_next_request_on_a_connection_has_its_own_deadline(server):
    body = orjson.dumps(GOOD)
    with connected(server) as connection:
        for _ in range(3):
            connection.sendall(head_of(len(body)) + body)
            assert b" 200 " in one_answer(connection)
            time.sleep(0.4)
        connection.sendall(b"POST /v1/sc")
        assert b" 408 " in answer_of(connection)
