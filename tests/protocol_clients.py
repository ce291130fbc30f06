"""How the clients of other programs ask for rewards and what they read of the answer, rebuilt from their sources.

Each takes `post(path, body) -> (status, JSON)` in the place of its HTTP library, sends what its original sends, reads what
that reads, and fails where it fails. The docstrings name file, function and commit of the original.
"""

import base64
import json
import struct


class ClientError(Exception):
    """What ends the run of a client."""


def openrlhf(post, queries, prompts, labels, *, servers=1):
    """openrlhf/utils/agent.py `_fetch_rewards_via_http` and `execute`, trainer/ppo_utils/samples_generator.py (3c3be62).

    Samples are cut into as many requests as there are servers; only the first answer is read. Returns what training gets.
    """
    size = (len(queries) + servers - 1) // servers
    answers = []
    for k in range(servers):
        cut = slice(k * size, (k + 1) * size)
        status, answer = post("/get_reward", {"query": queries[cut], "prompts": prompts[cut], "labels": labels[cut]})
        if status >= 400:
            raise ClientError(status)
        answers.append(answer)
    first = answers[0]
    score = first.get("scores")
    if score is None:
        score = first.get("rewards")
    logs = first.get("extra_logs") or {}
    numbers = {name: [float(one) for one in value] for name, value in logs.items()}  # as torch.tensor([value]) demands
    return [float(one) for one in first["rewards"]], [float(one) for one in score], numbers, answers


def align_anything(post, prompts, responses):
    """align_anything/models/remote_rm/remote_rm_client.py `RemoteRewardModel.score` (3f9decc): only a 200 is read."""
    assert len(prompts) == len(responses)
    status, answer = post("/get_reward", {"prompts": prompts, "responses": responses})
    if status != 200:
        raise ClientError(status)
    return [float(one) for one in answer["rewards"]]


def slime(post, prompt, response, label=None):
    """slime/rollout/rm_hub/__init__.py `remote_rm` (624b824): the whole body is the reward."""
    status, answer = post("/get_reward", {"prompt": prompt, "response": response, "label": label})
    if status >= 400:
        raise ClientError(status)
    return answer


def llama_factory(post, messages):
    """src/llamafactory/train/ppo/ppo_utils.py `get_rewards_from_server` (ff6d4d1): no status is looked at."""
    _, answer = post("/v1/score/evaluation", {"model": "model", "messages": messages})
    return [float(one) for one in answer["scores"]]


def verl_vllm(post, model, text, *, activation="use_activation"):
    """verl/experimental/reward_loop/reward_loop.py `compute_score_disrm` (b178a3c: `activation`; 0.9: `use_activation`)."""
    return _verl(post, "/classify", {"model": model, "input": text, activation: False})["data"][-1]["probs"][-1]


def verl_sglang(post, model, text):
    """The same with engine sglang: the last number of the last vector."""
    return _verl(post, "/v1/embeddings", {"model": model, "input": text})["data"][-1]["embedding"][-1]


def _verl(post, path, body):
    status, answer = post(path, body)
    if 400 <= status < 500:
        raise ClientError(status)  # not tried again: the run ends
    assert status == 200
    return answer


def verl_prompt(tokenizer, chat, response):
    """`_preprocess_reward_inputs` of the same file: the policy's end token taken out, rendered by the reward model's
    tokenizer, its BOS cut off where the text begins with it."""
    response = response.replace(tokenizer.eos_token, "")
    text = tokenizer.apply_chat_template(
        [*chat, {"role": "assistant", "content": response}], add_generation_prompt=False, tokenize=False
    )
    return text.removeprefix(tokenizer.bos_token or "")


def skywork_sglang(post, model, texts):
    """The README of Skywork-Reward-V2 for SGLang (4f380f4): POST /classify with several texts."""
    _, answer = post("/classify", {"model": model, "text": texts})
    return [one["embedding"][0] for one in answer]


def reward_hub_vllm(post, model, messages):
    """reward_hub's remote model behind vLLM: POST /pooling with messages, the first number of each vector."""
    _, answer = post("/pooling", {"model": model, "messages": messages, "encoding_format": "float"})
    return answer["data"][0]["data"][0]


def tei(post, path, body):
    """Text Embeddings Inference has no Python client of its own; its docs post JSON and read a list."""
    status, answer = post(path, body)
    if status != 200:
        raise ClientError(answer["error"], answer["error_type"])
    return answer


def ms_swift(post, model, messages):
    """swift/infer_engine/infer_client.py `infer_async` (3602360): defaults are not sent, an error is told by `object`."""
    _, answer = post("/v1/chat/completions", {"model": model, "messages": messages})
    if answer["object"] == "error":
        raise ClientError(answer["message"])
    assert {"model", "choices", "usage"} <= answer.keys()
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= answer["usage"].keys()
    return answer["choices"][0]["message"]["content"]


def openai_embeddings(post, model, texts):
    """openai-python `Embeddings.create`: base64 is asked for where the caller names no format, and decoded as float32."""
    _, answer = post("/v1/embeddings", {"model": model, "input": texts, "encoding_format": "base64"})
    return [list(struct.unpack("<f", base64.b64decode(one["embedding"]))) for one in answer["data"]]


def through_json(value):
    """As it comes over the wire: no NaN, no tuple, no number of numpy."""
    return json.loads(json.dumps(value, allow_nan=False))
