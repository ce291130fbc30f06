"""slime: `--rm-type remote_rm --rm-url http://host:port/get_reward`.

The client is `remote_rm` in slime/rollout/rm_hub/__init__.py (624b824): one sample a request, tried ten times, and the whole
JSON body of the answer is the reward.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.records import Message
from rewardsmith.serve.protocols.protocol import BadRequest, Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import answered, messages, text


class Slime:
    """`prompt` is rendered text (`--apply-chat-template`), plain text or messages; `response` is what the policy wrote."""

    name = "slime"
    routes = ("/get_reward",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`response`, which no other protocol on the path has."""
        return "response" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """One question; `label` is for rules, not for a reward model."""
        prompt, response = body.get("prompt"), text(body, "response")
        if isinstance(prompt, list):
            turns = (*messages(prompt, "prompt"), Message("assistant", response))
            return ScoreRequest(None, (Question(turns=turns, generated=True),))
        if not isinstance(prompt, str):
            raise BadRequest(400, "prompt is neither text nor a list of messages; expected one of them")
        plain = answered(prompt, response)
        return ScoreRequest(None, (Question(text=prompt + response, plain=plain, generated=True),))

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> float:
        """A number by itself."""
        return answers[0].reward

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """The client looks at the status only."""
        return {"error": message}
