"""What is sent for one sample, and how an answer is read: nothing is guessed, and nothing that is missing is made up."""

from collections.abc import Mapping
from typing import Any

import orjson

from rewardsmith.errors import DataError
from rewardsmith.generate.candidates import STOP, Candidate, Sampling, seed_of
from rewardsmith.generate.remote.endpoint import Endpoint
from rewardsmith.records import Conversation
from rewardsmith.thinking import apart

REASONING = ("reasoning_content", "reasoning")
"""Under which vLLM, SGLang, DeepSeek and others, and OpenRouter, give the reasoning apart."""
SEED_BITS = 31  # servers read it as a signed integer of 32 bits
SHOWN = 120


class Unreadable(DataError):
    """An answer that is no chat completion; another request may give one."""


def body_of(endpoint: Endpoint, sampling: Sampling, prompt: Conversation, sample: int) -> dict[str, Any]:
    """The request for one sample; what has its neutral value is left out, since not every API knows it."""
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in prompt],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "seed": seed_of(sampling.seed, prompt, sample, SEED_BITS + 1) >> 1,
    }
    if sampling.top_p < 1:
        body["top_p"] = sampling.top_p
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    if sampling.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
    if endpoint.logprobs:
        body["logprobs"] = True
    return body


def read_answer(content: bytes) -> Candidate:
    """The candidate in the body of an answer; Unreadable where it is damaged or no chat completion."""
    answer = decoded(content)
    choice = answer["choices"][0]
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise Unreadable(f"the response of the API has no message ({excerpt(content)}); expected a chat completion")
    text, reasoning = said(message, content)
    usage = usage_of(answer)
    return Candidate(
        text,
        str(choice.get("finish_reason") or STOP),
        reasoning,
        count(usage.get("completion_tokens")),
        logprob_of(choice.get("logprobs")),
        count(usage.get("prompt_tokens")),
    )


def decoded(content: bytes) -> Mapping[str, Any]:
    """The body of an answer with at least one choice; Unreadable for anything else."""
    answer = json_object(content)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise Unreadable(f"the response of the API has no choices ({excerpt(content)}); expected a chat completion")
    return answer


def usage_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an answer says of its tokens, empty where it says nothing."""
    usage = answer.get("usage")
    return usage if isinstance(usage, Mapping) else {}


def json_object(content: bytes) -> Mapping[str, Any]:
    """The body of an answer as JSON, empty where it is no object; Unreadable where it is damaged."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the response of the API is not JSON ({excerpt(content)})") from error
    return answer if isinstance(answer, Mapping) else {}


def said(message: Mapping[str, Any], content: bytes) -> tuple[str, str | None]:
    """The answer and the reasoning: as the API keeps them apart, or as the text's own tags do."""
    text = message.get("content")
    thoughts = next((message[name] for name in REASONING if message.get(name)), None)
    if not isinstance(text, str | None) or not isinstance(thoughts, str | None):
        raise Unreadable(f"the message in the response of the API is not text ({excerpt(content)})")
    if text is None and thoughts is None:
        raise Unreadable(f"the message in the response of the API is empty ({excerpt(content)}); expected content")
    if thoughts is not None:
        return (text or "").lstrip("\n"), thoughts
    found = apart(text or "")
    return found.text, found.reasoning


def logprob_of(value: Any) -> float | None:
    """The sum over the tokens of an answer; None where the API does not give it."""
    tokens = value.get("content") if isinstance(value, Mapping) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    told = [token.get("logprob") if isinstance(token, Mapping) else None for token in tokens]
    found = [float(each) for each in told if isinstance(each, int | float)]
    return sum(found) if len(found) == len(tokens) else None


def count(value: Any) -> int | None:
    """A number of tokens, None where there is none."""
    return value if type(value) is int and value >= 0 else None


def excerpt(content: bytes) -> str:
    """How a body begins, in one line."""
    shown = " ".join(content[: 4 * SHOWN].decode("utf-8", errors="replace").split())[:SHOWN]
    return shown or "empty"
