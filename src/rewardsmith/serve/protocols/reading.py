"""Typed access to the body of a request: each function returns exactly what it names, or raises BadRequest."""

import base64
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from rewardsmith.data.formats.dialogues import message_list
from rewardsmith.data.input.rows import kind
from rewardsmith.errors import DataError
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.records import Conversation, Message
from rewardsmith.serve.protocols.protocol import BadRequest, Question, ScoredText

Body = Mapping[str, Any]


def text(body: Body, key: str) -> str:
    """A text that has to be there."""
    return as_text(body.get(key), key)


def as_text(value: Any, name: str) -> str:
    """The value if it is a text."""
    if not isinstance(value, str):
        raise BadRequest(400, f"{name} is {kind(value)}; expected text")
    return value


def texts(body: Body, key: str) -> list[str]:
    """A list of texts, which may be empty."""
    value = body.get(key)
    if not isinstance(value, list):
        raise BadRequest(400, f"{key} is {kind(value)}; expected a list of texts")
    return [as_text(one, f"{key}[{at}]") for at, one in enumerate(value)]


def one_or_several(body: Body, key: str) -> list[str]:
    """A text or a list of texts, as a list."""
    return [body[key]] if isinstance(body.get(key), str) else texts(body, key)


def optional_name(body: Body, key: str = "model") -> str | None:
    """The name of a model; None where the body names none."""
    return None if body.get(key) is None else text(body, key)


def flag(body: Body, key: str) -> bool | None:
    """True or false; None where the body does not say."""
    value = body.get(key)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(400, f"{key} is {kind(value)}; expected true or false")
    return value


def whole_number(body: Body, key: str, default: int) -> int:
    """A whole number from 0 on."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest(400, f"{key} is {value!r:.40}; expected an integer of at least 0")
    return value


def as_ids(value: Any, name: str) -> tuple[int, ...]:
    """Token ids."""
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise BadRequest(400, f"{name} is not a list of token ids; expected integers")
    return tuple(value)


def inputs(value: Any, name: str) -> list[Question]:
    """OpenAI's way to give texts: one, several, the token ids of one, or of several."""
    if isinstance(value, str):
        return [Question(text=value)]
    if not isinstance(value, list):
        raise BadRequest(400, f"{name} is {kind(value)}; expected text, a list of texts, or token ids")
    if value and type(value[0]) is int:
        return [Question(token_ids=as_ids(value, name))]
    return [
        Question(token_ids=as_ids(one, f"{name}[{at}]"))
        if isinstance(one, list)
        else Question(text=as_text(one, f"{name}[{at}]"))
        for at, one in enumerate(value)
    ]


def conversation(value: Any, name: str) -> Conversation:
    """Messages that end with the assistant's turn."""
    turns = messages(value, name)
    if not turns or turns[-1].role != "assistant":
        found = turns[-1].role if turns else "nothing"
        raise BadRequest(400, f"{name} ends with {found}; expected the assistant's turn, which is what is scored")
    return turns


def messages(value: Any, name: str) -> Conversation:
    """Messages as OpenAI's API has them: roles, and contents that are text or one part of text."""
    if not isinstance(value, list):
        raise BadRequest(400, f"{name} is {kind(value)}; expected a list of messages")
    try:
        return message_list(value, name)
    except DataError as error:
        raise BadRequest(400, str(error)) from error


def answered(prompt: str, response: str) -> Conversation:
    """A prompt of one user turn, and its response."""
    return (Message("user", prompt), Message("assistant", response))


def same_length(lists: Mapping[str, Sequence[object]]) -> None:
    """BadRequest where lists that belong together have different lengths."""
    if len({len(values) for values in lists.values()}) > 1:
        found = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
        raise BadRequest(400, f"lists of different lengths: {found}; expected one of each for every text")


def refuse(body: Body, allowed: Mapping[str, Iterable[Any]]) -> None:
    """BadRequest for options that would change what is scored, which the scoring contract alone decides; `allowed` holds the
    values of each under which nothing changes, beside null."""
    for key, values in allowed.items():
        value = body.get(key)
        if value is not None and not any(value is one or (value == one and type(value) is type(one)) for one in values):
            raise BadRequest(
                400,
                f"{key} is {value!r:.40}; the scoring contract of the model decides that; remove it from the request",
            )


def squashed(reward: float) -> float:
    """The logistic function of a reward, for clients that ask for probabilities."""
    return float(sigmoid(np.array(reward)))


def encoded(values: Sequence[float], form: str) -> list[float] | str:
    """Numbers as JSON, or in base64 as float32 of little end, which is what the openai client asks for."""
    if form == "base64":
        return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()
    return list(values)


def encoding(body: Body) -> str:
    """In which form vectors are asked for."""
    value = body.get("encoding_format", "float")
    if value not in ("float", "base64"):
        raise BadRequest(400, f"encoding_format is {value!r:.40}; expected 'float' or 'base64'")
    return str(value)


def columns_of_all(scored: Sequence[ScoredText]) -> list[str]:
    """The columns that every text has: a judge that could not be read on a criterion gives none of it for this text."""
    return [name for name in (scored[0].columns if scored else ()) if all(name in one.columns for one in scored)]


def usage(scored: Sequence[ScoredText]) -> dict[str, int]:
    """Tokens, as OpenAI's API counts them."""
    tokens = sum(one.tokens for one in scored)
    return {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}


def head(prefix: str, kind_of_answer: str, model: str) -> dict[str, Any]:
    """The fields that every answer in OpenAI's style begins with."""
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": kind_of_answer,
        "created": int(datetime.now(UTC).timestamp()),
        "model": model,
    }


def model_of(asked: str | None, scored: Sequence[ScoredText]) -> str:
    """The name of the model that answers: the one that scored, or what was asked for where nothing was scored."""
    return scored[0].model if scored else asked or ""


ERROR_KINDS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}
"""What OpenAI-style clients read as the type of an error, by status; the others are InternalServerError."""


def openai_refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an error in OpenAI's style."""
    name = ERROR_KINDS.get(status, "BadRequestError" if status < 500 else "InternalServerError")
    return {"error": {"message": message, "type": name, "param": None, "code": status}}
