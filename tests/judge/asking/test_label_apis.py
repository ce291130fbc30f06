"""Label probabilities behind APIs: a fake server that misbehaves as servers do, and the exact bodies of each route."""

import math

import numpy as np
import pytest

from chat_server import KEY, completion, serving
from language_models import save_language_model
from rewardsmith.generate.remote import sending
from rewardsmith.generate.remote.sending import Hopeless
from rewardsmith.judge.asking.chat import ChatLabels, along
from rewardsmith.judge.asking.labels import LabelQuestion
from rewardsmith.judge.asking.routes import RouteLabels
from rewardsmith.judge.endpoints import JudgeEndpoint
from rewardsmith.records import Message

TEN = tuple(map(str, range(1, 11)))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.01)


def place(chosen, **probabilities):
    """One place of an answer as the API tells it; `_` before a digit is no part of a token."""
    top = [{"token": token.lstrip("_"), "logprob": math.log(p)} for token, p in probabilities.items()]
    return {"token": chosen, "logprob": -0.1, "top_logprobs": top}


def answer(*places):
    return completion("".join(each["token"] for each in places), logprobs={"content": list(places)})


def endpoint(server, **more):
    return JudgeEndpoint(url=server.address, model="m", timeout=5.0, **more)


def asked(scorer, count=1, labels=TEN):
    found = {}
    questions = [LabelQuestion(k, (Message("user", f"Rate {k}"),), labels) for k in range(count)]
    scorer.score(questions, lambda one, masses: found.__setitem__(one.number, masses))
    return [found[k] for k in range(count)]


def test_a_chat_api_is_asked_for_the_likeliest_tokens():
    with serving(reply=lambda said: answer(place("8", _8=0.6, _9=0.2, _10=0.1, _1=0.05, The=0.05))) as server:
        (found,) = asked(ChatLabels(endpoint(server)))
        (body,) = server.asked
    assert found.masses == pytest.approx([0.05, 0, 0, 0, 0, 0, 0, 0.6, 0.2, 0.1])
    assert (body["logprobs"], body["top_logprobs"], body["temperature"], body["model"]) == (True, 20, 0.0, "m")
    assert (found.tokens, found.prompt_tokens) == (1, 5)


def test_ten_in_two_tokens_is_right_or_refused():
    followed = [("1", [("1", 0.6), ("9", 0.3)]), ("0", [("0", 0.7), (".", 0.2), ("5", 0.1)])]
    masses, left_open = along(followed, TEN)
    assert masses == pytest.approx([0.6 * 0.3, *[0] * 7, 0.3, 0.6 * 0.7])
    assert left_open == 0
    with serving(reply=lambda said: answer(place("8", _8=0.7, _1=0.2))) as server:
        (found,) = asked(ChatLabels(endpoint(server)))  # 1, or the beginning of 10?
        assert (found.masses, found.problem) == ((), "ambiguous_label")
        (found,) = asked(ChatLabels(endpoint(server)), labels=TEN[:9])
        assert found.masses[0] == pytest.approx(0.2)


def test_a_space_before_the_label_and_words_in_pieces():
    assert along([(" ", [(" ", 0.9)]), ("7", [("7", 0.8), ("6", 0.2)])], TEN)[0][5:7] == pytest.approx([0.18, 0.72])
    masses, left_open = along([("Yes", [("Yes", 0.6), (" No", 0.2), ("Y", 0.1), ("Maybe", 0.1)])], ("Yes", "No"))
    assert (masses, left_open) == (pytest.approx([0.6, 0.2]), pytest.approx(0.1))
    masses, left_open = along([("Y", [("Y", 0.6), ("No", 0.3)]), ("es", [("es", 0.9)])], ("Yes", "No"))
    assert (masses, left_open) == (pytest.approx([0.54, 0.3]), 0)


@pytest.mark.parametrize("step", [429, 500, "broken", "html", "empty", "close"])
def test_what_may_pass_is_tried_again(step):
    with serving([step, step], reply=lambda said: answer(place("8", _8=0.9))) as server:
        scorer = ChatLabels(endpoint(server))
        (found,) = asked(scorer)
    assert found.masses[7] == pytest.approx(0.9)
    assert scorer.retried == 2


@pytest.mark.parametrize(
    "reply",
    [
        completion("8"),
        completion("8", logprobs={"content": []}),
        completion("8", logprobs={"content": [{"token": "8", "logprob": -1}]}),
        completion("8", logprobs={"content": [{"token": "8", "top_logprobs": [{"token": "8", "logprob": "x"}]}]}),
        completion("8", logprobs={"content": [{"token": "8", "top_logprobs": [{"token": "8", "logprob": 5}]}]}),
        completion("8", logprobs={"content": [3]}),
    ],
)
def test_an_answer_without_probabilities_is_a_failure_and_never_a_score(reply):
    with serving(reply=lambda said: reply) as server:
        (found,) = asked(ChatLabels(endpoint(server, retries=1)))
    assert (found.masses, found.problem) == ((), "failed")
    assert "logprob" in found.reason or "log-probability" in found.reason


def test_a_failure_is_that_of_its_question_and_a_wrong_key_ends_the_run(monkeypatch):
    with serving([500, 500], reply=lambda said: answer(place("8", _8=0.9))) as server:
        found = asked(ChatLabels(endpoint(server, retries=1, concurrency=1)), 3)
    assert [bool(each.masses) for each in found] == [False, True, True]
    monkeypatch.setenv("OTHER", "wrong")
    with serving(key=KEY) as server, pytest.raises(Hopeless):
        asked(ChatLabels(endpoint(server, key_name="OTHER")))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return str(save_language_model(tmp_path_factory.mktemp("lm")))


def probability(ids, token):
    """What the fake model gives a token behind some ids: of the digits by their value, half of it behind a beginning."""
    return (token % 7 + 1) / 40 / (1 + len(ids) % 3)


def sglang(body):
    return {
        "scores": [[probability(body["query"] + item, t) for t in body["label_token_ids"]] for item in body["items"]]
    }


def vllm(body):
    first = body["label_token_ids"][0]
    data = [
        {"index": at, "object": "score", "score": probability(body["query"] + item, first)}
        for at, item in enumerate(body["items"])
    ]
    return {"object": "list", "data": data[::-1], "usage": {}}


def test_both_scoring_routes_give_the_same_masses(tokenizer):
    routes = {"/generative_scoring": vllm, "/v1/score": sglang}
    with serving(routes=routes) as server:
        found = {
            route: asked(RouteLabels(endpoint(server, route=route, tokenizer=tokenizer)), 2)
            for route in ("vllm", "sglang")
        }
        bodies = server.asked
    for one, other in zip(found["vllm"], found["sglang"], strict=True):
        assert one.masses == pytest.approx(other.masses)
        assert sum(one.masses) > 0
    body = bodies[-1]
    assert set(body) == {"model", "query", "items", "label_token_ids", "apply_softmax", "item_first"}
    assert (body["apply_softmax"], body["item_first"]) == (False, False)
    assert all(item and item[0] == body["items"][0][0] for item in body["items"])
    assert len(bodies) == 2 + 2 * len(set(body["label_token_ids"]))


def test_masses_of_a_route_are_those_of_its_probabilities(tokenizer):
    with serving(routes={"/v1/score": sglang}) as server:
        scorer = RouteLabels(endpoint(server, route="sglang", tokenizer=tokenizer))
        (found,) = asked(scorer, labels=("1", "10"))
    ids = list(scorer.renderer.render(LabelQuestion(0, (Message("user", "Rate 0"),), ("1", "10"))).ids)
    one, zero, space = (scorer.renderer.tokenizer.encode(char, add_special_tokens=False)[0] for char in "10 ")

    def mass(*path):
        return float(np.prod([probability(ids + list(path[:at]), token) for at, token in enumerate(path)]))

    ten = mass(one, zero) + mass(space, one, zero)
    assert found.masses == pytest.approx((mass(one) + mass(space, one) - ten, ten))


@pytest.mark.parametrize(
    "reply", [{}, {"scores": [[0.1]]}, {"scores": [[2.0]] * 9}, {"data": [{"score": "x"}]}, {"data": [3]}, []]
)
def test_a_route_that_answers_something_else_is_a_failure(tokenizer, reply):
    with serving(routes={"/v1/score": lambda body: reply}) as server:
        (found,) = asked(RouteLabels(endpoint(server, route="sglang", tokenizer=tokenizer, retries=0)))
    assert (found.masses, found.problem) == ((), "failed")
    assert "check route" in found.reason
