"""The clients of other programs against the running server: each trains on the reward of the conversation that it means."""

import asyncio

import numpy as np
import pytest

import protocol_clients as clients
from builders import tiny
from reward_server import running
from rewardsmith.records import Message
from rewardsmith.rl import trl_reward, verl_compute_score_async

PROMPT = [{"role": "user", "content": "Name a fruit. 说一种水果。"}]
RESPONSE = "Plum 李子."
TALK = [*PROMPT, {"role": "assistant", "content": RESPONSE}]


@pytest.fixture(scope="module")
def model():
    return tiny(head_scale=20.0)


@pytest.fixture(scope="module")
def server(model):
    with running({"rm": model, "other": tiny(seed=7, head_scale=20.0)}) as found:
        yield found


@pytest.fixture(scope="module")
def post(server):
    def send(path, body):
        answer = server.post(path, body)
        return answer.status_code, answer.json()

    return send


@pytest.fixture(scope="module")
def reward(model):
    return pytest.approx(float(model.score([TALK])[0]), rel=1e-6, abs=1e-5)


@pytest.fixture(scope="module")
def texts(model):
    """The conversation rendered, and its prompt."""
    whole = model.encoder.renderer.render([Message(one["role"], one["content"]) for one in TALK])
    return whole, whole.partition(RESPONSE)[0]


@pytest.mark.parametrize("ending", ["<|im_end|>\n", "<|im_end|>", ""])
def test_openrlhf_however_the_rollout_ends(post, texts, reward, ending):
    _, prompt = texts
    rewards, scores, logs, answers = clients.openrlhf(post, [prompt + RESPONSE + ending], [prompt], [None], servers=2)
    assert (rewards, scores, logs) == ([reward], [reward], {})
    assert answers[1]["rewards"] == []


def test_plain_texts_are_a_conversation(post, reward):
    prompt = PROMPT[0]["content"]
    assert clients.openrlhf(post, [prompt + RESPONSE], [prompt], [None])[0] == [reward]
    assert clients.align_anything(post, [prompt], [RESPONSE]) == [reward]
    assert clients.slime(post, prompt, RESPONSE) == reward


def test_slime_and_llama_factory(post, texts, reward):
    whole, prompt = texts
    assert clients.slime(post, prompt, RESPONSE) == reward
    assert clients.slime(post, PROMPT, RESPONSE) == reward
    assert clients.slime(post, PROMPT, RESPONSE + "<|im_end|>") == reward
    assert clients.llama_factory(post, [whole.removesuffix("\n")]) == [reward]


def test_verl_renders_with_the_model_s_tokenizer(post, model, reward):
    tokenizer = model.tokenizer
    text = clients.verl_prompt(tokenizer, PROMPT, RESPONSE + tokenizer.eos_token)
    assert clients.verl_vllm(post, "rm", text) == reward
    assert clients.verl_sglang(post, "rm", text) == reward
    with pytest.raises(clients.ClientError, match="404"):
        clients.verl_vllm(post, "unknown", text)


def test_other_models_by_name(post, texts, reward):
    whole, _ = texts
    assert clients.skywork_sglang(post, "rm", [whole, whole]) == [reward, reward]
    assert clients.skywork_sglang(post, "other", [whole]) != [reward]


def test_reward_hub_tei_and_ms_swift(post, texts, reward):
    whole, _ = texts
    assert clients.reward_hub_vllm(post, "rm", TALK) == reward
    assert clients.tei(post, "/predict", {"inputs": whole})[0]["score"] == reward
    assert clients.tei(post, "/predict", {"inputs": [PROMPT[0]["content"], RESPONSE]})[0]["score"] == reward
    assert float(clients.ms_swift(post, "rm", TALK)) == reward


def test_a_long_text_is_cut_or_refused_as_its_client_can_take_it(post, model):
    long = "word " * model.contract.max_length
    assert np.isfinite(clients.align_anything(post, [long], [RESPONSE])).all()
    assert post("/rerank", {"query": "Q", "texts": [long], "truncate": False})[0] in (413, 422)


def test_the_openai_client(server, reward):
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    client = openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0)
    answer = client.chat.completions.create(model="rm", messages=TALK)
    assert float(answer.choices[0].message.content) == reward
    assert [one.id for one in client.models.list()] == ["rm", "other"]
    with pytest.raises(openai.BadRequestError, match="ends with user"):
        client.chat.completions.create(model="rm", messages=PROMPT)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="unknown", messages=TALK)


def test_the_functions_for_trainers_give_the_same_from_the_server(server, model, reward, texts):
    far, near = trl_reward(server.address), trl_reward(model)
    _, prompt = texts
    for asked in (
        {"prompts": [PROMPT] * 2, "completions": [TALK[1:], [{"role": "assistant", "content": "Blue."}]]},
        {"prompts": [prompt, "Name a colour."], "completions": [RESPONSE, "Blue."]},
    ):
        assert far(**asked) == pytest.approx(near(**asked), rel=1e-6, abs=1e-5)
        assert far(**asked)[0] == reward
    other = trl_reward(server.address, served="other")
    assert other(prompts=[PROMPT], completions=[TALK[1:]]) != [reward]
    compute_score = verl_compute_score_async(server.address)

    async def many():
        return await asyncio.gather(*(compute_score("d", RESPONSE, None, {"prompt": PROMPT}) for _ in range(8)))

    assert [one["score"] for one in asyncio.run(many())] == [reward] * 8
