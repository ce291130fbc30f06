"""OpenRLHF: `--reward.remote_url http://host:port/get_reward` (`--remote_rm_url` before 0.11).

The client is `SingleTurnAgentExecutor._fetch_rewards_via_http` in openrlhf/utils/agent.py, the server that it is made for in
openrlhf/cli/serve_rm.py (3c3be62). It sends one sample at a time, and to all servers but the first an empty list.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.protocol import Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import answered, columns_of_all, optional_name, same_length, texts


class OpenRLHF:
    """`query` holds prompts and responses as the policy's tokenizer decodes them, control tokens kept."""

    name = "OpenRLHF"
    routes = ("/get_reward",)

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`query`, which no other protocol on the path has."""
        return "query" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """One question a query; `labels` are for rules, not for a reward model. OpenRLHF names no model; our client may."""
        queries = texts(body, "query")
        if body.get("prompts") is None:
            return ScoreRequest(optional_name(body), tuple(Question(text=query, generated=True) for query in queries))
        prompts = texts(body, "prompts")
        same_length({"query": queries, "prompts": prompts})
        return ScoreRequest(optional_name(body), tuple(map(question, queries, prompts)))

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """`scores` (for dynamic filtering) are the rewards, as from OpenRLHF's own server; columns become `extra_logs`."""
        rewards = [one.reward for one in answers]
        logs = {name: [one.columns[name] for one in answers] for name in columns_of_all(answers)}
        return {"rewards": rewards, "scores": rewards, "extra_logs": logs}

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """The client looks at the status only."""
        return {"error": message}


def question(query: str, prompt: str) -> Question:
    """A query, and where it holds no control token the conversation of its prompt and what follows that."""
    if not query.startswith(prompt):
        return Question(text=query, generated=True)
    turns = answered(prompt, query[len(prompt) :])
    return Question(text=query, plain=turns if prompt else turns[1:], generated=True)
