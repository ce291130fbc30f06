"""Text Embeddings Inference: /predict and /rerank.

Requests and answers are those of router/src/http/types.rs and router/src/lib.rs (0d124dc). Two strings in a list are a pair
there, not two texts. TEI squashes a single label unless `raw_scores` is true; here a reward is raw unless `raw_scores` is
false in the request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.protocol import BadRequest, Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import answered, as_text, flag, refuse, squashed, text, texts

ERROR_TYPES = {413: "Validation", 424: "Backend", 429: "Overloaded", 503: "Unhealthy"}


def tei_refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an error as TEI writes it."""
    return {"error": message, "error_type": ERROR_TYPES.get(status, "Validation" if status < 500 else "Backend")}


def score_of(asked: ScoreRequest, one: ScoredText) -> float:
    """The reward, squashed where that was asked for."""
    return squashed(one.reward) if asked.options["squash"] else one.reward


def options_of(body: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What `answer` needs to know, and whether texts that are too long are cut."""
    refuse(body, {"truncation_direction": ("Left", "left")} if body.get("truncate") else {})
    return {"squash": flag(body, "raw_scores") is False}, flag(body, "truncate") is not False


class TeiPredict:
    """A text, a pair of prompt and response, or a list of lists of one or two texts."""

    name = "TEI"
    routes = ("/predict",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """Every body: no other protocol has the path."""
        return True

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """A text by itself was rendered by the client; a pair is a conversation."""
        options, truncate = options_of(body)
        value = body.get("inputs")
        batch = isinstance(value, list) and not any(isinstance(one, str) for one in value)
        entries = value if batch else [value]
        if not isinstance(entries, list) or (batch and not entries):
            raise BadRequest(400, "inputs is empty; expected a text, a pair of texts, or a list of such in lists")
        asked = tuple(sequence(one, f"inputs[{at}]" if batch else "inputs") for at, one in enumerate(entries))
        return ScoreRequest(None, asked, {**options, "batch": batch}, truncate=truncate)

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> Any:
        """The predictions of one input, or a list of such for a batch."""
        found = [[{"score": score_of(asked, one), "label": "LABEL_0"}] for one in answers]
        return found if asked.options["batch"] else found[0]

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """As TEI writes it."""
        return tei_refusal(status, message)


def sequence(value: Any, name: str) -> Question:
    """A text, or a list of one or two."""
    if isinstance(value, str):
        return Question(text=value)
    if not isinstance(value, list) or len(value) not in (1, 2):
        raise BadRequest(400, f"{name} is neither a text nor a list of one or two texts; expected one of them")
    parts = [as_text(one, f"{name}[{at}]") for at, one in enumerate(value)]
    return Question(text=parts[0]) if len(parts) == 1 else Question(turns=answered(*parts))


class TeiRerank:
    """Responses to one prompt, best first."""

    name = "TEI /rerank"
    routes = ("/rerank",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`texts`: vLLM's /rerank has `documents`."""
        return "texts" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """A conversation for each text."""
        options, truncate = options_of(body)
        found, prompt = texts(body, "texts"), text(body, "query")
        asked = tuple(Question(turns=answered(prompt, one)) for one in found)
        return ScoreRequest(
            None, asked, {**options, "texts": found if flag(body, "return_text") else None}, truncate=truncate
        )

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> list[dict[str, Any]]:
        """Best first; equal rewards keep the order in which they were sent."""
        written = asked.options["texts"]
        ranks = [
            {"index": at, **({} if written is None else {"text": written[at]}), "score": score_of(asked, one)}
            for at, one in enumerate(answers)
        ]
        return sorted(ranks, key=lambda one: -one["score"])

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """As TEI writes it."""
        return tei_refusal(status, message)
