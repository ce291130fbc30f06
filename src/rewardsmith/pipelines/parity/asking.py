"""How each kind of server is asked for the rewards of conversations: as messages, and as rendered text.

The bodies are those that the servers' own clients send: vLLM (entrypoints/pooling/classify and pooling), SGLang and Text
Embeddings Inference; `use_activation: false` and `raw_scores: true` ask for raw rewards where a server knows them.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rewardsmith.errors import ServerError
from rewardsmith.generate.remote.sending import import_httpx

ServerKind = Literal["rewardsmith", "vllm", "sglang", "tei"]
ChatTurns = list[dict[str, str]]


@dataclass(frozen=True)
class AskedText:
    """A conversation as its messages, and as the contract renders it."""

    messages: ChatTurns
    rendered: str


@dataclass(frozen=True)
class Way:
    """One way to ask a kind of server: its route, the body for a text, and how a reward is read from the answer."""

    name: str
    path: str
    body: Callable[[AskedText, str], dict[str, Any]]
    reward: Callable[[Any], Any]


WAYS: dict[ServerKind, tuple[Way, ...]] = {
    "rewardsmith": (
        Way(
            "messages",
            "/v1/score",
            lambda text, model: {"conversations": [text.messages]},
            lambda found: found["results"][0]["reward"],
        ),
        Way(
            "rendered text",
            "/v1/score",
            lambda text, model: {"texts": [text.rendered]},
            lambda found: found["results"][0]["reward"],
        ),
    ),
    "vllm": (
        Way(
            "messages",
            "/pooling",
            lambda text, model: {"model": model, "messages": text.messages, "encoding_format": "float"},
            lambda found: found["data"][0]["data"][-1],
        ),
        Way(
            "rendered text, as verl sends it",
            "/classify",
            lambda text, model: {"model": model, "input": text.rendered, "use_activation": False},
            lambda found: found["data"][-1]["probs"][-1],
        ),
        Way(
            "rendered text, no tokens added",
            "/classify",
            lambda text, model: {
                "model": model,
                "input": text.rendered,
                "use_activation": False,
                "add_special_tokens": False,
            },
            lambda found: found["data"][-1]["probs"][-1],
        ),
    ),
    "sglang": (
        Way(
            "rendered text",
            "/classify",
            lambda text, model: {"model": model, "text": [text.rendered]},
            lambda found: found[0]["embedding"][0],
        ),
        Way(
            "embedding, as verl reads it",
            "/v1/embeddings",
            lambda text, model: {"model": model, "input": text.rendered},
            lambda found: found["data"][-1]["embedding"][-1],
        ),
    ),
    "tei": (
        Way(
            "rendered text",
            "/predict",
            lambda text, model: {"inputs": [[text.rendered]], "raw_scores": True, "truncate": False},
            lambda found: found[0][0]["score"],
        ),
    ),
}


class Asking:
    """An endpoint, its kind, and the name of its model; ServerError where it cannot be reached or is of no known kind."""

    def __init__(
        self,
        url: str,
        kind: ServerKind | None,
        *,
        headers: Mapping[str, str],
        model: str | None,
        timeout: float,
    ) -> None:
        self.url = url.rstrip("/")
        self.httpx = import_httpx()
        self.connections = self.httpx.Client(headers=headers, timeout=timeout, follow_redirects=False, trust_env=False)
        self.kind: ServerKind = kind or self._kind()
        self.model = model or self._model()

    def close(self) -> None:
        """Close the connections."""
        self.connections.close()

    def reward(self, way: Way, text: AskedText) -> float:
        """The number that the server gives; ServerError where it gives none."""
        body = way.body(text, self.model)
        if self.kind == "rewardsmith" and self.model:
            body["model"] = self.model
        found = self._json("POST", way.path, body)
        try:
            return float(way.reward(found))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ServerError(f"{way.path} sent no reward where {self.kind} has it: {str(found)[:120]}") from error

    def _kind(self) -> ServerKind:
        """Found out from what a server says of itself."""
        listed = self._maybe("/v1/models")
        if isinstance(listed, dict) and "models" in listed and "version" in listed:
            return "rewardsmith"
        info = self._maybe("/info")
        if isinstance(info, dict) and "max_client_batch_size" in info:
            return "tei"
        if isinstance(self._maybe("/get_model_info"), dict) or isinstance(self._maybe("/model_info"), dict):
            return "sglang"
        if isinstance(listed, dict) and isinstance(listed.get("data"), list):
            return "vllm"
        raise ServerError(f"{self.url} is none of {', '.join(WAYS)} as far as it shows; name its kind with --server")

    def _model(self) -> str:
        """The name under which a server that asks for one has its model."""
        if self.kind in ("tei", "rewardsmith"):
            return ""
        with contextlib.suppress(ServerError, KeyError, IndexError, TypeError):
            return str(self._json("GET", "/v1/models", None)["data"][0]["id"])
        return ""

    def _maybe(self, path: str) -> Any:
        """What a route answers; None where there is none."""
        try:
            return self._json("GET", path, None)
        except EndpointRefusal:
            return None

    def _json(self, method: str, path: str, body: Any) -> Any:
        try:
            answer = self.connections.request(method, self.url + path, json=body)
        except (self.httpx.HTTPError, self.httpx.InvalidURL) as error:
            raise ServerError(f"{self.url} cannot be reached: {error or type(error).__name__}") from error
        if answer.status_code != 200:
            raise EndpointRefusal(f"{path} refused with status {answer.status_code}: {answer.text[:200]}")
        try:
            return answer.json()
        except ValueError as error:
            raise EndpointRefusal(f"{path} sent no JSON: {answer.text[:80]}") from error


class EndpointRefusal(ServerError):
    """A server that can be reached does not answer a request."""


def ways_of(kind: ServerKind) -> Sequence[Way]:
    """The ways to ask a kind of server."""
    return WAYS[kind]
