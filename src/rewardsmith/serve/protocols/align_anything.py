"""align-anything: `remote_rm_url: http://host:port/get_reward`.

The client is `RemoteRewardModel.score` in align_anything/models/remote_rm/remote_rm_client.py (3f9decc); what it sends is
taken out of the decoded text by `decode_prompt_responses` in trainers/text_to_text/ppo_remote_rm.py, without control tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.protocol import Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import answered, same_length, texts


class AlignAnything:
    """Prompts and responses as two lists of plain texts."""

    name = "align-anything"
    routes = ("/get_reward",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`responses`, which no other protocol on the path has."""
        return "responses" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """One conversation a pair; `golden_responses` are for rules, not for a reward model."""
        prompts, responses = texts(body, "prompts"), texts(body, "responses")
        same_length({"prompts": prompts, "responses": responses})
        turns = map(answered, prompts, responses)
        return ScoreRequest(None, tuple(Question(turns=one, generated=True) for one in turns))

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """The client reads `rewards` of an answer with status 200."""
        return {"rewards": [one.reward for one in answers]}

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """As align_anything/models/remote_rm/reward_server.py writes it."""
        return {"error": message}
