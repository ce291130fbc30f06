"""LLaMA-Factory: PPO with `reward_model_type: api` and `reward_model: http://host:port/v1/score/evaluation`.

The client is `get_rewards_from_server` in src/llamafactory/train/ppo/ppo_utils.py, the server that it was written for
`create_score_evaluation_response` in src/llamafactory/api/chat.py (ff6d4d1). The client looks at no status: what has no
`scores` ends its run, which is what a refusal must do.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from rewardsmith.serve.protocols.protocol import Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import model_of, optional_name, refuse, texts

NO_NAME = "model"
"""What the client sends as the name of the model, always."""


class LlamaFactory:
    """`messages` are texts: prompt and response as the policy's tokenizer decodes them, control tokens kept."""

    name = "LLaMA-Factory"
    routes = ("/v1/score/evaluation",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """Every body: no other protocol has the path."""
        return True

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """One question a text."""
        refuse(body, {"max_length": ()})
        name = optional_name(body)
        asked = tuple(Question(text=one, generated=True) for one in texts(body, "messages"))
        return ScoreRequest(None if name == NO_NAME else name, asked)

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """Raw rewards, in order."""
        return {
            "id": f"scoreval-{uuid4().hex}",
            "object": "score.evaluation",
            "model": model_of(asked.model, answers),
            "scores": [one.reward for one in answers],
        }

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """As FastAPI writes it."""
        return {"detail": message}
