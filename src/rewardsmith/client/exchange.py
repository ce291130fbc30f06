"""What the clients send and how they read what comes, without a connection."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from rewardsmith.errors import DataError, ServerError
from rewardsmith.generate.remote.endpoint import bearer
from rewardsmith.generate.remote.sending import seconds_of
from rewardsmith.launch.redaction import redacted
from rewardsmith.records import Conversation, Message, Turns
from rewardsmith.settings.values import shown

AGAIN = frozenset({408, 429, 502, 503, 504})
"""Statuses after which the same request may succeed."""
KEY_VARIABLE = "REWARDSMITH_API_KEY"

PART_TEXTS, PART_BYTES = 256, 1_000_000


@dataclass(frozen=True)
class ServedReward:
    """One text as `/v1/score` gives it; what the server does not know is None."""

    reward: float
    columns: Mapping[str, float]
    tokens: int
    truncated: bool
    uncertainty: float | None = None
    z: float | None = None
    percentile: float | None = None
    p_better: float | None = None


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is, and how it is asked: `timeout` in seconds for each of 1 + `retries` tries."""

    url: str
    key: str | None = None
    model: str | None = None
    timeout: float = 60.0
    retries: int = 5
    headers: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        if not is_server(self.url):
            raise DataError(
                f"the address of the server is {redacted(self.url)!r}; expected http://HOST:PORT or https://HOST:PORT"
            )
        if self.retries < 0 or not self.timeout > 0:
            raise DataError(f"got retries {self.retries} and timeout {self.timeout}; expected 0 or more, and above 0")
        key, where = (self.key, "key") if self.key else (os.environ.get(KEY_VARIABLE, ""), KEY_VARIABLE)
        headers = {"Content-Type": "application/json", **bearer(key, where)}
        object.__setattr__(self, "headers", {name.lower(): value for name, value in headers.items()})

    def of(self, path: str) -> str:
        """The address of a route."""
        return self.url.rstrip("/") + path

    def body(self, **fields: Any) -> bytes:
        """The body of a request, fields without a value left out."""
        given = {"model": self.model, **fields}
        return json_of({name: value for name, value in given.items() if value is not None})


def is_server(url: str) -> bool:
    """Whether a text is the address of a server."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no IPv6 address, or no port
        return False


def json_of(value: Any) -> bytes:
    """A value as JSON; DataError for what JSON cannot hold, as half a surrogate pair in a text."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise DataError(f"a conversation cannot be sent as JSON: {error}") from error


def in_parts(conversations: Iterable[Turns]) -> Iterator[list[list[dict[str, str]]]]:
    """The conversations as the server takes them, as many in a request as every server takes; a longer one by itself."""
    part: list[list[dict[str, str]]] = []
    size = 0
    for turns in conversations:
        messages = messages_of(turns)
        more = len(json_of(messages))
        if part and (size + more > PART_BYTES or len(part) == PART_TEXTS):
            yield part
            part, size = [], 0
        part.append(messages)
        size += more
    if part:
        yield part


def messages_of(turns: Turns) -> list[dict[str, str]]:
    """A conversation as the server takes it: text is one response; DataError for anything that is no conversation."""
    if isinstance(turns, str):
        return [{"role": "assistant", "content": turns}]
    if isinstance(turns, Mapping) or not isinstance(turns, Iterable):
        raise DataError(f"got {shown(turns)} as a conversation; expected text or a list of messages")
    return [message_of(turn) for turn in turns]


def message_of(turn: Any) -> dict[str, str]:
    """One message as the server takes it."""
    if isinstance(turn, Message):
        found = {"role": turn.role, "content": turn.content}
        return found if turn.reasoning is None else {**found, "reasoning_content": turn.reasoning}
    if not isinstance(turn, Mapping):
        raise DataError(f"expected a message with text 'role' and 'content', got {shown(turn)}")
    return {str(name): value for name, value in turn.items()}


def prompt_of(prompt: Turns | Conversation) -> str | list[dict[str, str]]:
    """A prompt as the server takes it: text is the user's."""
    return prompt if isinstance(prompt, str) else messages_of(prompt)


class TryAgain(Exception):
    """A try that failed and may succeed later; `after` is how many seconds the server asks to wait."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def read(status: int, content: bytes, after: str | None) -> Any:
    """The JSON of a good answer; TryAgain or ServerError for any other."""
    if status in AGAIN:
        raise TryAgain(f"status {status}: {reason_of(content)}", seconds_of(after))
    if status != 200:
        raise ServerError(f"the reward server refused the request with status {status}: {reason_of(content)}")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ServerError(f"the reward server sent no JSON: {error}") from error


def reason_of(content: bytes) -> str:
    """What an error's body says."""
    try:
        error = orjson.loads(content)["error"]
        return f"{error['message']} ({error['path']})" if error["path"] else str(error["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return content[:200].decode("utf-8", "replace") or "no reason given"


def scored(answer: Any, count: int) -> list[ServedReward]:
    """The results of an answer, as many as were asked for; ServerError where they are not, or one is not finite."""
    results = answer.get("results") if isinstance(answer, Mapping) else None
    if not isinstance(results, list) or len(results) != count:
        found = len(results) if isinstance(results, list) else "no"
        raise ServerError(f"the reward server sent {found} results for {count} texts")
    return [one_of(result) for result in results]


def one_of(result: Any) -> ServedReward:
    """One result."""
    try:
        known = {name: result[name] for name in ServedReward.__dataclass_fields__}
    except (KeyError, TypeError) as error:
        raise ServerError(f"the reward server sent a result without {error}; is it a rewardsmith server?") from error
    if type(known["reward"]) not in (int, float) or not math.isfinite(known["reward"]):
        raise ServerError(f"the reward server sent the reward {known['reward']!r}; expected a finite number")
    for name, value in known["columns"].items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ServerError(f"the reward server sent {value!r} as {name}; expected a finite number")
    return ServedReward(**known)


def rendered_columns(answer: Any, count: int) -> dict[str, list[float]]:
    """The rewards of rendered texts under `reward`, and the columns; ServerError for anything but finite numbers."""
    try:
        found = {"reward": answer["rewards"], **answer["extra_logs"]}
    except (KeyError, TypeError) as error:
        raise ServerError(f"the reward server sent a result without {error}; is it a rewardsmith server?") from error
    for name, values in found.items():
        if not isinstance(values, list) or len(values) != count:
            raise ServerError(f"the reward server sent no list of {count} values as {name}")
        if wrong := [one for one in values if type(one) not in (int, float) or not math.isfinite(one)]:
            raise ServerError(f"the reward server sent {wrong[0]!r} as {name}; expected a finite number")
    return found


def given_up(address: ServerAddress, failure: TryAgain, tries: int) -> ServerError:
    """What is raised after the last try."""
    return ServerError(f"no rewards from {redacted(address.url)} after {tries} tries; the last: {failure}")


def ranking(results: Sequence[ServedReward]) -> list[tuple[int, float]]:
    """(index, reward) best first; equal rewards keep their order."""
    order = sorted(range(len(results)), key=lambda index: -results[index].reward)
    return [(index, results[index].reward) for index in order]
