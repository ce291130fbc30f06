"""Other programs' formats on the running server: the rewards of the model, in their shape, and errors in theirs."""

import math

import pytest

from builders import tiny
from reward_server import running

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.fixture(scope="module")
def model():
    return tiny(head_scale=20.0)


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model}) as found:
        yield found


@pytest.fixture(scope="module")
def rendered(model):
    from rewardsmith.records import Message

    return model.encoder.renderer.render([Message(one["role"], one["content"]) for one in TURNS])


@pytest.fixture(scope="module")
def reward(model):
    return pytest.approx(float(model.score([TURNS])[0]), abs=1e-5)


def test_each_protocol_gets_the_reward_in_its_shape(server, rendered, reward):
    def ask(path, body):
        answer = server.post(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = ask("/get_reward", {"query": [rendered], "prompts": [rendered[:10]], "labels": [None]})
    assert found["rewards"] == [reward]
    assert ask("/get_reward", {"query": [], "prompts": [], "labels": []})["rewards"] == []
    assert ask("/v1/score/evaluation", {"model": "tiny", "messages": [rendered]})["scores"] == [reward]
    found = ask(
        "/classify", {"model": "tiny", "input": [rendered], "use_activation": False, "add_special_tokens": False}
    )
    assert found["data"][0]["probs"] == [reward]
    assert ask("/classify", {"model": "tiny", "text": [rendered]})[0]["embedding"] == [reward]
    assert ask("/pooling", {"model": "tiny", "messages": TURNS})["data"][0]["data"] == [reward]
    assert ask("/v1/embeddings", {"model": "tiny", "input": rendered})["data"][-1]["embedding"][-1] == reward
    found = ask("/score", {"model": "tiny", "text_1": "Hi", "text_2": ["Hello"], "use_activation": False})
    assert found["data"][0]["score"] == reward
    assert ask("/predict", {"inputs": [[rendered]], "raw_scores": True})[0][0]["score"] == reward
    found = ask("/v1/chat/completions", {"model": "tiny", "messages": TURNS})
    assert float(found["choices"][0]["message"]["content"]) == reward
    assert server.service.metrics.requests.total() >= 10


def test_a_path_that_is_ours_and_others_is_told_by_the_keys(server, reward):
    own = server.post("/v1/score", {"conversations": [TURNS]}).json()
    assert own["results"][0]["reward"] == reward
    theirs = server.post(
        "/v1/score", {"model": "tiny", "text_1": "Hi", "text_2": ["Hello"], "use_activation": False}
    ).json()
    assert theirs["data"][0]["score"] == reward


def test_what_no_protocol_claims_is_refused(server):
    assert server.post("/classify", {"model": "tiny"}).status_code == 400
    assert server.post("/get_reward", {"a": 1}).status_code == 400


def test_errors_have_the_shape_of_the_protocol(server, rendered):
    answer = server.post("/v1/embeddings", {"model": "none", "input": rendered})
    assert answer.status_code == 404
    assert "error" in answer.json() or "message" in answer.json()


def test_the_log_and_the_counts_know_the_format(server, rendered):
    before = server.service.metrics.requests[(("route", "/get_reward"), ("code", "200"))]
    server.post("/get_reward", {"query": [rendered], "prompts": [""], "labels": [None]})
    assert server.service.metrics.requests[(("route", "/get_reward"), ("code", "200"))] == before + 1
    assert math.isfinite(server.engine.computing.speed)
