"""Chat completions whose content is the reward: how ms-swift deploys a reward model, and what gateways let through.

The client is `InferClient.infer_async` in swift/infer_engine/infer_client.py, its example in
examples/deploy/reward_model/client.py, the answer `ChatCompletionResponse` in swift/infer_engine/protocol.py (3602360).
There the content is a number; the openai client and gateways declare text, so here it is the number as text: both take it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.protocol import Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import conversation, head, openai_refusal, optional_name, refuse, usage

UNCHANGED: Mapping[str, Sequence[Any]] = {
    **{"stream": (False,), "n": (1,), "logprobs": (False,), "chat_template_kwargs": ({},)},
    **{"images": ([],), "audios": ([],), "videos": ([],), "tools": ([],)},
}
"""Options that a reward model cannot follow, and the values under which there is nothing to follow."""


class ChatCompletions:
    """A conversation that ends with the assistant's turn; settings of sampling mean nothing to a reward model."""

    name = "chat completions"
    routes = ("/v1/chat/completions",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """Every body: no other protocol has the path."""
        return True

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """One conversation."""
        refuse(body, UNCHANGED)
        return ScoreRequest(optional_name(body), (Question(turns=conversation(body.get("messages"), "messages")),))

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """The shortest text that gives the same number when it is read."""
        (one,) = answers
        message = {"role": "assistant", "content": repr(one.reward), "tool_calls": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {**head("chatcmpl", "chat.completion", one.model), "choices": [choice], "usage": usage(answers)}

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """ms-swift's client looks for `object`, the openai client for `error`."""
        return {"object": "error", "message": message, **openai_refusal(status, message)}
