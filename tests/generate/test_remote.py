"""Requests against a real HTTP server on this machine that misbehaves as servers do."""

import datetime
import email.utils
import logging
import time

import pytest

from chat_server import KEY, completion, serving
from rewardsmith.errors import UsageError
from rewardsmith.generate.candidates import Candidate, Failed, PromptRequest, Sampling
from rewardsmith.generate.remote import sending
from rewardsmith.generate.remote.endpoint import Endpoint
from rewardsmith.generate.remote.generator import RemoteGenerator
from rewardsmith.generate.remote.sending import Hopeless, pause, seconds_of
from rewardsmith.records import Message


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.01)


def asked(server, texts=("one two",), *, n=1, **options):
    endpoint = Endpoint(url=server.address, model="m", **{"timeout": 5.0, **options})
    generator = RemoteGenerator(endpoint)
    found = {}
    requests = [PromptRequest(k, (Message("user", text),), tuple(range(n))) for k, text in enumerate(texts)]
    generator.generate(requests, Sampling(n=n, max_tokens=9), lambda r, k, o: found.__setitem__((r.number, k), o))
    return found, generator


def test_every_sample_is_one_request_with_its_own_seed():
    with serving() as server:
        found, _ = asked(server, ("one two", "three four"), n=2)
    assert {key: one.text for key, one in found.items()} == {
        (0, 0): "two one", (0, 1): "two one", (1, 0): "four three", (1, 1): "four three",
    }  # fmt: skip
    assert found[0, 0] == Candidate("two one", "stop", None, 2, None, 5)
    seeds = {body["seed"] for body in server.asked}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert {(body["model"], body["max_tokens"]) for body in server.asked} == {("m", 9)}


@pytest.mark.parametrize("step", [429, 500, 502, 503, "cut", "broken", "html", "empty", "close"])
def test_what_may_pass_is_tried_again(step):
    with serving([step, step]) as server:
        found, generator = asked(server)
    assert found[0, 0].text == "two one"
    assert generator.retried == 2


def test_a_failure_that_stays_is_the_outcome_of_its_sample_alone():
    with serving([500, 500, 500]) as server:
        found, _ = asked(server, ("one", "two", "three"), retries=2, concurrency=1)
    assert isinstance(found[0, 0], Failed)
    assert "500" in found[0, 0].reason
    assert "3 attempts" in found[0, 0].reason
    assert [found[1, 0].text, found[2, 0].text] == ["two", "three"]


def test_a_refused_request_is_not_sent_again():
    with serving([400]) as server:
        found, _ = asked(server)
    assert "400" in found[0, 0].reason
    assert len(server.asked) == 1


@pytest.mark.parametrize("step", ["slow", "drip"])
def test_the_time_out_covers_the_whole_answer(step):
    with serving([step]) as server:
        started = time.monotonic()
        found, _ = asked(server, timeout=0.6, retries=0)
    assert "0.6 s" in found[0, 0].reason
    assert time.monotonic() - started < 3.5


def test_the_server_says_how_long_to_wait():
    with serving([(429, {"Retry-After": "0.5"})]) as server:
        asked(server)
    assert server.times[1] - server.times[0] >= 0.5
    assert seconds_of("2") == 2
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    assert 25 < seconds_of(email.utils.format_datetime(later, usegmt=True)) <= 30
    assert seconds_of("soon") is None
    assert seconds_of(None) is None


def test_pauses_double_within_their_jitter_and_have_an_end():
    assert [pause(k, None, draw=lambda: 1.0) for k in range(3)] == [0.01, 0.02, 0.04]
    assert pause(1, None, draw=lambda: 0.0) == 0.01
    assert pause(50, None, draw=lambda: 1.0) == 60
    assert pause(0, 10_000.0) == 60


def test_no_more_requests_at_a_time_than_asked_for():
    with serving() as server:
        server.delay = 0.05
        asked(server, [f"p{k}" for k in range(12)], concurrency=3)
    assert server.most == 3


def test_requests_keep_the_pace():
    with serving() as server:
        asked(server, [f"p{k}" for k in range(4)], per_minute=600)
    assert server.times[-1] - server.times[0] >= 0.28


def test_a_wrong_key_stops_at_once_and_is_never_shown(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OTHER_KEY", "wrong-" + KEY)
    with serving(key=KEY) as server, pytest.raises(Hopeless, match="401") as raised:
        asked(server, [f"p{k}" for k in range(50)], key_name="OTHER_KEY", concurrency=1)
    assert len(server.asked) < 5
    assert KEY not in str(raised.value)
    assert KEY not in caplog.text


def test_the_right_key_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(key=KEY) as server:
        found, generator = asked(server)
    assert found[0, 0].text == "two one"
    assert KEY not in repr(generator)
    assert KEY not in generator.made_by(Sampling())


@pytest.mark.parametrize(
    ("body", "text", "reasoning"),
    [
        (completion("4", message={"reasoning_content": "2+2"}), "4", "2+2"),
        (completion(None, message={"reasoning": "2+2 and"}, finish_reason="length"), "", "2+2 and"),
        (completion("<think>2+2</think>4"), "4", "2+2"),
        (completion("2+2</think>\n\n4"), "4", "2+2"),
        (completion("4", message={"reasoning_content": ""}), "4", None),
    ],
)
def test_reasoning_is_kept_apart_however_a_server_gives_it(body, text, reasoning):
    with serving(reply=lambda said: body) as server:
        found, _ = asked(server)
    assert (found[0, 0].text, found[0, 0].reasoning) == (text, reasoning)


def test_logprobs_are_summed_where_the_server_gives_all():
    told = {"logprobs": {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]}}
    half = {"logprobs": {"content": [{"token": "a", "logprob": -0.5}, {"token": "b"}]}}
    for body, total in ((completion("a b", **told), -1.5), (completion("a b", **half), None)):
        with serving(reply=lambda said, body=body: body) as server:
            found, _ = asked(server, logprobs=True)
        assert found[0, 0].logprob == total
        assert server.asked[0]["logprobs"] is True


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://user:secret@host/v1", "http://host/v1?key=s"])
def test_an_address_with_a_secret_or_none_is_refused(url):
    with pytest.raises(UsageError) as raised:
        Endpoint(url=url, model="m")
    assert "secret" not in str(raised.value)
