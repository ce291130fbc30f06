"""/v1/score, /v1/rank, /v1/compare: what is asked, what comes back, and that it is what the model gives."""

import math

import numpy as np
import pytest

from builders import tiny
from reward_server import reference, running
from rewardsmith.model.checkpoint.sidecar import Normalizer
from rewardsmith.serve.models.reference import reference_of, stored_reference

PROMPT = "Name a fruit."
RESPONSES = ["A pear.", "苹果。", "I do not know, and I would rather not say anything about it."]


@pytest.fixture(scope="module")
def model():
    return tiny(head_scale=20.0)


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model}, reference=reference()) as found:
        yield found


def turns(response):
    return [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": response}]


def test_the_three_forms_give_the_rewards_of_the_model(server, model):
    expected = model.score([turns(text) for text in RESPONSES])
    rendered = [model.encoder.renderer.render(model_turns(text)) for text in RESPONSES]
    forms = [
        {"prompt": PROMPT, "responses": RESPONSES},
        {"prompt": [{"role": "user", "content": PROMPT}], "responses": RESPONSES},
        {"conversations": [turns(text) for text in RESPONSES]},
        {"texts": rendered},
    ]
    for form in forms:
        found = server.post("/v1/score", form).json()
        np.testing.assert_allclose([one["reward"] for one in found["results"]], expected, atol=1e-5)
        assert found["model"] == "tiny"
        assert found["tokens"] == sum(one["tokens"] for one in found["results"])


def model_turns(response):
    from rewardsmith.records import Message

    return [Message(one["role"], one["content"]) for one in turns(response)]


def test_no_text_is_no_error(server):
    for form in ({"responses": []}, {"conversations": []}, {"texts": []}):
        answer = server.post("/v1/score", form)
        assert answer.status_code == 200
        assert answer.json()["results"] == []


def test_where_a_reward_stands(server):
    found = server.post("/v1/score", {"prompt": PROMPT, "responses": RESPONSES}).json()["results"]
    every = np.array([k / 25 - 2 for k in range(101)])
    for one in found:
        reward = one["reward"]
        assert one["z"] == pytest.approx(reward)
        assert one["percentile"] == pytest.approx(100 * np.clip((reward + 2) / 4, 0, 1))
        assert one["p_better"] == pytest.approx(np.mean(1 / (1 + np.exp(every - reward))))


def test_a_percentile_between_equal_rewards_is_their_middle():
    found = stored_reference(Normalizer(0.5, 0.5, (0.0, 0.0, 1.0, 1.0)), None)
    assert [found.standing(x).percentile for x in (-1, 0, 0.5, 1, 2)] == pytest.approx([0, 100 / 6, 50, 500 / 6, 100])


def test_a_model_without_reference_says_null(model):
    with running({"tiny": model}) as server:
        (one,) = server.post("/v1/score", {"responses": ["Hi."]}).json()["results"]
    assert (one["z"], one["percentile"], one["p_better"], one["uncertainty"]) == (None,) * 4


def test_a_reference_is_read_from_scored_rows(tmp_path):
    path = tmp_path / "scored.jsonl"
    path.write_text('{"rewards": [1.0, 3.0]}\n{"error": "too long"}\n{"reward": 2}\n', encoding="utf-8")
    found = reference_of(path, None)
    assert (found.count, found.mean, found.std) == (3, 2.0, pytest.approx(math.sqrt(2 / 3)))


def test_a_ranking_is_best_first(server, model):
    found = server.post("/v1/rank", {"prompt": PROMPT, "responses": RESPONSES}).json()["ranking"]
    assert [one["index"] for one in found] == [index for index, _ in model.rank(PROMPT, RESPONSES)]
    assert [one["reward"] for one in found] == sorted((one["reward"] for one in found), reverse=True)


def test_equal_responses_keep_their_order(server):
    found = server.post("/v1/rank", {"prompt": PROMPT, "responses": ["same"] * 3}).json()["ranking"]
    assert [one["index"] for one in found] == [0, 1, 2]


def test_swapping_a_comparison_turns_it_round(server):
    one, other = (
        server.post("/v1/compare", {"prompt": PROMPT, "first": a, "second": b}).json()
        for a, b in (RESPONSES[:2], RESPONSES[1::-1])
    )
    assert one["margin"] == pytest.approx(-other["margin"])
    assert one["p_first"] == pytest.approx(1 - other["p_first"])
    assert one["p_first"] == pytest.approx(1 / (1 + math.exp(-one["margin"])))
    assert {one["preferred"], other["preferred"]} == {"first", "second"}
    tie = server.post("/v1/compare", {"prompt": PROMPT, "first": "same", "second": "same"}).json()
    assert (tie["margin"], tie["p_first"], tie["preferred"]) == (0.0, 0.5, "tie")


def test_a_comparison_uses_the_calibration_of_the_model():
    from dataclasses import replace

    from rewardsmith.evaluate.corrections.calibration import RewardCalibration

    model = tiny(head_scale=20.0)
    model.sidecar = replace(model.sidecar, calibration=RewardCalibration("test", temperature=2.0))
    with running({"tiny": model}) as server:
        found = server.post("/v1/compare", {"prompt": PROMPT, "first": "A", "second": "B"}).json()
    assert found["calibrated"]
    assert found["p_first"] == pytest.approx(1 / (1 + math.exp(-found["margin"] / 2)))


def test_values_per_token_end_with_the_reward(server, model):
    body = {"prompt": PROMPT, "responses": ["好 pear"], "per_token": True}
    (one,) = server.post("/v1/score", body).json()["results"]
    assert "".join(one["per_token"]["texts"]).startswith("好 pear")
    assert len(one["per_token"]["texts"]) == len(one["per_token"]["values"])
    assert one["per_token"]["values"][-1] == pytest.approx(one["reward"], abs=1e-5)


def test_what_is_too_long_is_refused_or_cut_and_reported(server):
    long = {"prompt": PROMPT, "responses": ["pear " * 400]}
    refused = server.post("/v1/score", long)
    assert refused.status_code == 422
    assert "256" in refused.json()["error"]["message"]
    (one,) = server.post("/v1/score", long | {"truncate": True}).json()["results"]
    assert one["truncated"]
    assert one["tokens"] <= 256


def test_a_huge_text_is_refused_before_it_is_tokenized(server, monkeypatch):
    from rewardsmith.scoring.tokens import Encoder

    monkeypatch.setattr(Encoder, "encode", lambda *_: pytest.fail("tokenized"))
    answer = server.post("/v1/score", {"responses": ["x" * 1_000_000], "truncate": True})
    assert answer.status_code == 422


def test_two_models_by_name(model):
    other = tiny(seed=1, head_scale=20.0)
    with running({"first": model, "second": other}) as server:
        names = {
            name: server.post("/v1/score", {"model": name, "responses": ["Hi"]}).json() for name in ("first", "second")
        }
        default = server.post("/v1/score", {"responses": ["Hi"]}).json()
        unknown = server.post("/v1/score", {"model": "third", "responses": ["Hi"]})
        listed = [one["name"] for one in server.get("/v1/models").json()["models"]]
    for name, expected in (("first", model), ("second", other)):
        assert names[name]["results"][0]["reward"] == pytest.approx(expected.score(["Hi"])[0], abs=1e-5)
    assert default["model"] == "first"
    assert unknown.status_code == 404
    assert listed == ["first", "second"]


def test_a_model_is_replaced_while_it_serves(model):
    other = tiny(seed=1, head_scale=20.0)
    with running({"tiny": model, "tiny-again": other}) as server:
        server.opened = 2  # the next that is opened is the other one
        before = server.post("/v1/score", {"responses": ["Hi"]}).json()["results"][0]["reward"]
        assert server.post("/v1/models/tiny/reload", b"").status_code == 200
        after = server.post("/v1/score", {"responses": ["Hi"]}).json()["results"][0]["reward"]
        assert server.post("/v1/models/none/reload", b"").status_code == 404
        assert server.post("/v1/models/tiny/reload", b"", headers={"content-type": "text/plain"}).status_code == 415
    assert before == pytest.approx(model.score(["Hi"])[0], abs=1e-5)
    assert after == pytest.approx(other.score(["Hi"])[0], abs=1e-5)


def test_transformers_the_model_and_the_server_agree_on_500_texts(server, model, tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model.save(tmp_path / "model")
    hf = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    words = ["pear", "苹果", "because", "7", "x\n", "é😀", "not", "*so*"]
    asked = [
        [
            {"role": "user", "content": f"Question {k}: {words[k % 8]}?"},
            {"role": "assistant", "content": " ".join(words[(k * j) % 8] for j in range(1, 2 + k % 30))},
        ]
        for k in range(500)
    ]
    expected = model.score(asked)
    found = server.post("/v1/score", {"conversations": asked}, timeout=60).json()["results"]
    np.testing.assert_allclose([one["reward"] for one in found], expected, rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        plain = [
            float(
                hf(torch.tensor([tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)])).logits[0, 0]
            )
            for turns in asked
        ]
    np.testing.assert_allclose(plain, expected, rtol=1e-5, atol=1e-5)
    order = np.argsort(-expected, kind="stable")
    assert (np.argsort(-np.array([one["reward"] for one in found]), kind="stable") == order).mean() >= 0.999


def test_a_reward_is_the_same_beside_any_number_of_others(server):
    alone = server.post("/v1/score", {"responses": ["the text"]}).json()["results"][0]["reward"]
    for count in (2, 5, 16, 32):
        others = [f"{'other ' * (k % 9)}{k}" for k in range(count - 1)]
        for place in (0, count - 1):
            body = {"responses": [*others[:place], "the text", *others[place:]]}
            found = server.post("/v1/score", body).json()["results"][place]["reward"]
            assert found == pytest.approx(alone, abs=1e-5)


def test_a_model_that_cannot_be_opened_again_leaves_the_old_one(model):
    from rewardsmith.errors import ContractError

    def broken(one):
        raise ContractError("probe 0 gives other tokens")

    with running({"tiny": model}) as server:
        server.service.registry.open_model = broken
        answer = server.post("/v1/models/tiny/reload", b"")
        assert answer.status_code == 500
        assert "probe 0" in answer.json()["error"]["message"]
        assert server.post("/v1/score", {"responses": ["Hi"]}).status_code == 200
        assert not server.reported
