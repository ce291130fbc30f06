"""The API that a judge asks: its address, its limits, and the route on which label probabilities are to be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rewardsmith.errors import UsageError
from rewardsmith.generate.remote.endpoint import Endpoint
from rewardsmith.verifiable.definition import refuse_keys

Route = Literal["chat", "vllm", "sglang"]
ROUTES: tuple[Route, ...] = ("chat", "vllm", "sglang")
NUMBER = (int, float)
KEYS: Mapping[str, tuple[type, ...]] = {
    "url": (str,), "model": (str,), "api_key_env": (str,), "concurrency": (int,), "requests_per_minute": NUMBER,
    "timeout": NUMBER, "retries": (int,), "route": (str,), "tokenizer": (str,), "price_in": NUMBER, "price_out": NUMBER,
}  # fmt: skip


NAMES = {"api_key_env": "key_name", "requests_per_minute": "per_minute"}
"""Keys whose fields have other names."""


@dataclass(frozen=True, kw_only=True)
class JudgeEndpoint(Endpoint):
    """An API that judges.

    `route` says where label probabilities come from: `chat` from the top_logprobs of chat completions, `vllm` and `sglang`
    from their scoring routes, for which `tokenizer` (a folder or a name) turns text into the ids that they take. Prices are
    per million tokens, None where the cost is not asked for.
    """

    route: Route = "chat"
    tokenizer: str | None = None
    price_in: float | None = None
    price_out: float | None = None


def endpoint_of(value: Any, reading: str, place: str) -> JudgeEndpoint | None:
    """The endpoint of a judge file, None without one; UsageError for a key, an address or a route that there is not."""
    if value is None:
        return None
    here = f"{place}: endpoint"
    refuse_keys(value, KEYS, here)
    if not value.get("url") or not value.get("model"):
        raise UsageError(f"{here}: expected url: (such as http://localhost:8000/v1) and model: (its name there)")
    route = value.get("route", "chat")
    if route not in ROUTES:
        raise UsageError(f"{here}: route is {route!r}; expected {', '.join(ROUTES)}")
    if (route != "chat") != ("tokenizer" in value) or (route != "chat" and reading == "text"):
        raise UsageError(
            f"{here}: route: vllm and sglang go with reading: labels and a tokenizer: (folder or name of the model's); "
            "route: chat needs none"
        )
    try:
        return JudgeEndpoint(**{NAMES.get(name, name): given for name, given in value.items()})
    except UsageError as error:
        raise UsageError(f"{here}: {error}") from error
