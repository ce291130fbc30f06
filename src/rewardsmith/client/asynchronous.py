"""The client for programs with an event loop."""

import asyncio
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


class AsyncClient:
    """As `Client`, every method to be awaited; for one event loop.

    `concurrency` requests are open at once.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        model: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        concurrency: int = 64,
    ) -> None:
        self.address = ServerAddress(url, key, model, timeout, retries)
        self.httpx = import_httpx()
        limits = self.httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        waiting = self.httpx.Timeout(timeout, pool=None)  # what waits for a connection has not been sent yet
        self._connections = self.httpx.AsyncClient(
            timeout=waiting, limits=limits, follow_redirects=False, trust_env=False
        )

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def score(self, conversations: Iterable[Turns], *, truncate: bool | None = None) -> Float64[np.ndarray, " N"]:
        """One raw reward per conversation: a list of messages (the last from the assistant), or a bare response."""
        return np.array([one.reward for one in await self.results(conversations, truncate=truncate)], dtype=np.float64)

    async def results(self, conversations: Iterable[Turns], *, truncate: bool | None = None) -> list[ServedReward]:
        """As `score`, with all that the server says of each."""

        async def part_of(part: list[Any]) -> list[ServedReward]:
            body = self.address.body(conversations=part, truncate=truncate)
            return scored(await self._post("/v1/score", body), len(part))

        parts = await asyncio.gather(*(part_of(part) for part in in_parts(conversations)))
        return [one for part in parts for one in part]

    async def rank(
        self, prompt: Turns, responses: Sequence[str], *, truncate: bool | None = None
    ) -> list[tuple[int, float]]:
        """(index, reward) of every response to one prompt, best first; equal rewards keep their order."""
        body = self.address.body(prompt=prompt_of(prompt), responses=[*responses], truncate=truncate)
        return ranking(scored(await self._post("/v1/score", body), len(responses)))

    async def compare(self, prompt: Turns, first: str, second: str, *, truncate: bool | None = None) -> dict[str, Any]:
        """What `/v1/compare` says: `margin`, `p_first`, `preferred` and the rest."""
        body = self.address.body(prompt=prompt_of(prompt), first=first, second=second, truncate=truncate)
        found: dict[str, Any] = await self._post("/v1/compare", body)
        return found

    async def rendered(self, texts: Sequence[str], prompts: Sequence[str]) -> dict[str, list[float]]:
        """The rewards of texts that begin with `prompts` and whose rest a policy wrote, and the columns by name; as
        `Client.rendered`.
        """
        body = self.address.body(query=[*texts], prompts=[*prompts])
        return rendered_columns(await self._post("/get_reward", body), len(texts))

    async def models(self) -> list[dict[str, Any]]:
        """The models of the server."""
        found: list[dict[str, Any]] = (await self._send("GET", "/v1/models", None))["models"]
        return found

    async def ready(self) -> bool:
        """Whether the server takes requests now; False where it cannot be reached."""
        try:
            answer = await self._connections.get(self.address.of("/health/ready"))
        except self.httpx.HTTPError:
            return False
        return bool(answer.status_code == 200)

    async def _post(self, path: str, body: bytes) -> Any:
        return await self._send("POST", path, body)

    async def _send(self, method: str, path: str, body: bytes | None) -> Any:
        """The JSON that a route answers."""
        address = self.address
        for attempt in range(address.retries + 1):
            try:
                return await self._once(method, path, body)
            except TryAgain as failure:
                if attempt == address.retries:
                    raise given_up(address, failure, attempt + 1) from failure
                await asyncio.sleep(pause(attempt, failure.after))
        raise AssertionError

    async def _once(self, method: str, path: str, body: bytes | None) -> Any:
        address = self.address
        try:
            answer = await self._connections.request(method, address.of(path), content=body, headers=address.headers)
        except self.httpx.HTTPError as error:
            raise TryAgain(f"{type(error).__name__}: {error}") from error
        return read(answer.status_code, answer.content, answer.headers.get("retry-after"))
