"""vLLM: /score and /rerank, whose pairs are a prompt and its responses.

Requests and answers are those of vllm/entrypoints/pooling/scoring/protocol.py (004706d), paths those of its api_router.py
(055e47c). A reward is raw unless the request asks for `use_activation`.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from rewardsmith.serve.protocols.protocol import BadRequest, Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import (
    answered,
    head,
    model_of,
    one_or_several,
    openai_refusal,
    optional_name,
    refuse,
    squashed,
    text,
    texts,
    usage,
    whole_number,
)
from rewardsmith.serve.protocols.vllm_texts import UNCHANGED, activated

SIDES = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))
"""Names of the prompts and of the responses, as several versions have them."""


class VllmScore:
    """One prompt with N responses, or N of each."""

    name = "vLLM /score"
    routes = ("/score", "/v1/score")

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """One of the pairs of names: our own /v1/score has others."""
        return any(left in body and right in body for left, right in SIDES)

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """A conversation for each pair."""
        refuse(body, UNCHANGED)
        there = [(left, right) for left, right in SIDES if left in body and right in body]
        if len(there) > 1:
            raise BadRequest(400, f"got {' and '.join('/'.join(names) for names in there)}; expected one of them")
        prompts, responses = (one_or_several(body, key) for key in there[0])
        if len(prompts) == 1:
            prompts = prompts * len(responses)
        if len(prompts) != len(responses):
            raise BadRequest(
                400,
                f"{len(prompts)} prompts and {len(responses)} responses; expected one prompt, or as many as responses",
            )
        asked = tuple(Question(turns=turns) for turns in map(answered, prompts, responses))
        return ScoreRequest(optional_name(body), asked, {"activated": activated(body)})

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """A score for each pair, in order."""
        data = [
            {
                "index": at,
                "object": "score",
                "score": squashed(one.reward) if asked.options["activated"] else one.reward,
            }
            for at, one in enumerate(answers)
        ]
        return {**head("embd", "list", model_of(asked.model, answers)), "data": data, "usage": usage(answers)}

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """In OpenAI's style."""
        return openai_refusal(status, message)


class VllmRerank:
    """Responses to one prompt, best first; also Jina's and Cohere's way to ask."""

    name = "vLLM /rerank"
    routes = ("/rerank", "/v1/rerank", "/v2/rerank")

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`documents`: TEI's /rerank has `texts`."""
        return "documents" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """A conversation for each document."""
        refuse(body, UNCHANGED)
        documents = texts(body, "documents")
        prompt = text(body, "query")
        options = {"activated": activated(body), "top": whole_number(body, "top_n", 0), "documents": documents}
        asked = tuple(Question(turns=answered(prompt, one)) for one in documents)
        return ScoreRequest(optional_name(body), asked, options)

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """The `top_n` best (0: all); equal rewards keep the order in which they were sent."""
        options = asked.options
        results: list[dict[str, Any]] = [
            {
                "index": at,
                "document": {"text": document, "multi_modal": None},
                "relevance_score": squashed(one.reward) if options["activated"] else one.reward,
            }
            for at, (document, one) in enumerate(zip(options["documents"], answers, strict=True))
        ]
        results.sort(key=lambda one: -one["relevance_score"])
        counted = usage(answers)
        return {
            "id": f"rerank-{uuid4().hex}",
            "model": model_of(asked.model, answers),
            "usage": {"prompt_tokens": counted["prompt_tokens"], "total_tokens": counted["total_tokens"]},
            "results": results[: options["top"] or None],
        }

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """In OpenAI's style."""
        return openai_refusal(status, message)
