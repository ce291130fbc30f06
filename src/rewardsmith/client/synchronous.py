"""The client for programs that wait for an answer."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from rewardsmith.client.exchange import (
    ServedReward,
    ServerAddress,
    TryAgain,
    given_up,
    in_parts,
    prompt_of,
    ranking,
    read,
    rendered_columns,
    scored,
)
from rewardsmith.generate.remote.sending import import_httpx, pause
from rewardsmith.records import Turns


class Client:
    """A reward server as if it were a model: `score` and `rank` take and give what those of `RewardModel` do.

    `key` (default: the environment's REWARDSMITH_API_KEY) and `model` (default: the server's first) go with every request. A
    request is tried again after connection failures and statuses 408, 429, 502, 503 and 504, as late as the server asks;
    ServerError where all tries fail or the server refuses, DataError for what is no conversation. Safe between threads.
    """

    def __init__(
        self, url: str, *, key: str | None = None, model: str | None = None, timeout: float = 60.0, retries: int = 5
    ) -> None:
        self.address = ServerAddress(url, key, model, timeout, retries)
        self.httpx = import_httpx()
        self._connections = self.httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def score(self, conversations: Iterable[Turns], *, truncate: bool | None = None) -> Float64[np.ndarray, " N"]:
        """One raw reward per conversation: a list of messages (the last from the assistant), or a bare response."""
        return np.array([one.reward for one in self.results(conversations, truncate=truncate)], dtype=np.float64)

    def results(self, conversations: Iterable[Turns], *, truncate: bool | None = None) -> list[ServedReward]:
        """As `score`, with all that the server says of each."""
        return [
            one
            for part in in_parts(conversations)
            for one in scored(
                self._post("/v1/score", self.address.body(conversations=part, truncate=truncate)), len(part)
            )
        ]

    def rank(self, prompt: Turns, responses: Sequence[str], *, truncate: bool | None = None) -> list[tuple[int, float]]:
        """(index, reward) of every response to one prompt, best first; equal rewards keep their order."""
        body = self.address.body(prompt=prompt_of(prompt), responses=[*responses], truncate=truncate)
        return ranking(scored(self._post("/v1/score", body), len(responses)))

    def compare(self, prompt: Turns, first: str, second: str, *, truncate: bool | None = None) -> dict[str, Any]:
        """What `/v1/compare` says: `margin`, `p_first`, `preferred` and the rest."""
        body = self.address.body(prompt=prompt_of(prompt), first=first, second=second, truncate=truncate)
        found: dict[str, Any] = self._post("/v1/compare", body)
        return found

    def rendered(self, texts: Sequence[str], prompts: Sequence[str]) -> dict[str, list[float]]:
        """The rewards of texts that begin with `prompts` and whose rest a policy wrote, and the columns by name.

        A text that spells a control token of the model was rendered with its template; any other is a user's turn and the
        assistant's. Texts that are too long are cut.
        """
        body = self.address.body(query=[*texts], prompts=[*prompts])
        return rendered_columns(self._post("/get_reward", body), len(texts))

    def models(self) -> list[dict[str, Any]]:
        """The models of the server."""
        found: list[dict[str, Any]] = self._send("GET", "/v1/models", None)["models"]
        return found

    def ready(self) -> bool:
        """Whether the server takes requests now; False where it cannot be reached."""
        try:
            answer = self._connections.get(self.address.of("/health/ready"))
        except self.httpx.HTTPError:
            return False
        return bool(answer.status_code == 200)

    def _post(self, path: str, body: bytes) -> Any:
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: bytes | None) -> Any:
        """The JSON that a route answers."""
        address = self.address
        for attempt in range(address.retries + 1):
            try:
                return self._once(method, path, body)
            except TryAgain as failure:
                if attempt == address.retries:
                    raise given_up(address, failure, attempt + 1) from failure
                time.sleep(pause(attempt, failure.after))
        raise AssertionError

    def _once(self, method: str, path: str, body: bytes | None) -> Any:
        address = self.address
        try:
            answer = self._connections.request(method, address.of(path), content=body, headers=address.headers)
        except self.httpx.HTTPError as error:
            raise TryAgain(f"{type(error).__name__}: {error}") from error
        return read(answer.status_code, answer.content, answer.headers.get("retry-after"))
