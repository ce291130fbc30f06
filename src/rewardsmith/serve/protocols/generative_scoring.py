"""vLLM's /generative_scoring and SGLang's /v1/score: the probabilities of label tokens behind a query and an item.

Requests and answers are those of vllm/frontend/entrypoints/generate/generative_scoring/serving.py (055e47c) and
sglang/srt/entrypoints/openai/serving_score.py (083d601). A language model gives each label a logit; a reward model gives one
number, which under Bradley-Terry is the log odds of "good" against "bad". So two labels are answered, the good one first:
with sigma(reward), the softmax over a label of that logit and one of logit 0, and the rest. Anything else asks for a
distribution over tokens that a reward model does not have, and is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.protocol import BadRequest, Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import (
    answered,
    as_ids,
    flag,
    head,
    model_of,
    one_or_several,
    openai_refusal,
    optional_name,
    refuse,
    squashed,
    text,
    usage,
)

VLLM_PATH, SGLANG_PATH = "/generative_scoring", "/v1/score"


class GenerativeScoring:
    """`query` is the prompt, each of `items` a response."""

    name = "generative scoring"
    routes = (VLLM_PATH, SGLANG_PATH)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`label_token_ids`, which vLLM's /v1/score and our own do not have."""
        return "label_token_ids" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """A conversation for each item."""
        refuse(body, {"item_first": (False,)})
        labels = as_ids(body.get("label_token_ids"), "label_token_ids")
        if len(labels) != 2:
            raise BadRequest(
                400,
                f"got {len(labels)} label tokens; a reward model distinguishes two: the good one first, then the bad one",
            )
        softmax = flag(body, "apply_softmax")
        if not (softmax or (softmax is None and path == VLLM_PATH)):
            raise BadRequest(
                400,
                'a reward model has no probabilities over all tokens, only over the two labels; send "apply_softmax": true',
            )
        prompt = text(body, "query")
        asked = tuple(Question(turns=answered(prompt, item)) for item in one_or_several(body, "items"))
        return ScoreRequest(optional_name(body), asked)

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """vLLM gives the probability of the first label, SGLang those of all."""
        model, counted = model_of(asked.model, answers), usage(answers)
        if path == SGLANG_PATH:
            scores = [[squashed(one.reward), squashed(-one.reward)] for one in answers]
            return {"scores": scores, "model": model, "usage": counted, "object": "scoring"}
        data = [{"index": at, "object": "score", "score": squashed(one.reward)} for at, one in enumerate(answers)]
        return {**head("generative-scoring", "list", model), "data": data, "usage": counted}

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """In OpenAI's style."""
        return openai_refusal(status, message)
