"""SGLang with `--is-embedding`: /classify, and /v1/embeddings, by which verl (engine sglang) asks.

/classify is `classify_request` in python/sglang/srt/entrypoints/http_server.py, which takes and gives what its native
embedding route does; /v1/embeddings is openai/serving_embedding.py (012bcb5). verl reads the last number of the last vector,
whatever that is: an embedding server passes there as a reward model, so a vector has one number here, the reward.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from rewardsmith.serve.protocols.protocol import BadRequest, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import (
    encoded,
    encoding,
    inputs,
    model_of,
    openai_refusal,
    optional_name,
    refuse,
    usage,
)


class SglangClassify:
    """`text` or `input_ids`, one or several."""

    name = "SGLang"
    routes = ("/classify",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`text` or `input_ids`: vLLM's /classify has `input` or `messages`."""
        return "text" in body or "input_ids" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """The texts as the client rendered them."""
        refuse(body, {"image_data": (), "audio_data": (), "video_data": ()})
        key = "text" if "text" in body else "input_ids"
        if "text" in body and "input_ids" in body:
            raise BadRequest(400, "got text and input_ids; expected one of them")
        asked = inputs(body[key], key)
        one = isinstance(body[key], str) or (
            key == "input_ids" and len(asked) == 1 and asked[0].token_ids == tuple(body[key])
        )
        return ScoreRequest(optional_name(body), tuple(asked), {"alone": one})

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> Any:
        """An object for one text, a list of them for a list."""
        found = [
            {
                "embedding": [one.reward],
                "meta_info": {
                    "id": uuid4().hex,
                    "finish_reason": None,
                    "prompt_tokens": one.tokens,
                    "cached_tokens": 0,
                },
            }
            for one in answers
        ]
        return found[0] if asked.options["alone"] else found

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """As `_create_error_response` of the native routes."""
        return {"error": {"message": message}}


class SglangEmbeddings:
    """OpenAI's embeddings, of which a reward is one."""

    name = "SGLang /v1/embeddings"
    routes = ("/v1/embeddings",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """Every body: no other protocol has the path."""
        return True

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """The texts as the client rendered them."""
        refuse(body, {"dimensions": (), "messages": ()})
        return ScoreRequest(
            optional_name(body), tuple(inputs(body.get("input"), "input")), {"encoding": encoding(body)}
        )

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """A vector of one number for each text."""
        data = [
            {"object": "embedding", "embedding": encoded([one.reward], asked.options["encoding"]), "index": at}
            for at, one in enumerate(answers)
        ]
        return {
            "object": "list",
            "data": data,
            "model": model_of(asked.model, answers),
            "usage": usage(answers),
        }

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """In OpenAI's style."""
        return openai_refusal(status, message)
