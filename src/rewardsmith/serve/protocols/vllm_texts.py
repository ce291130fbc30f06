"""vLLM: /classify and /pooling, by which verl (engine vllm) and reward_hub ask.

Requests and answers are those of vllm/entrypoints/pooling/{classify,pooling,base}/protocol.py (055e47c and 020638a). verl's
client is `compute_score_disrm` in verl/experimental/reward_loop/reward_loop.py (b178a3c): one text a request, rendered with
this model's template and its BOS cut off; it ends the run on a status from 400 to 499 and tries again after any other.
vLLM's own server squashes a single label unless it is told not to; here a reward is raw unless the request asks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.protocol import Question, ScoredText, ScoreRequest
from rewardsmith.serve.protocols.reading import (
    conversation,
    encoded,
    encoding,
    flag,
    head,
    inputs,
    model_of,
    openai_refusal,
    optional_name,
    refuse,
    squashed,
    usage,
)

UNCHANGED: Mapping[str, Sequence[Any]] = {
    "normalize": (),
    "dimensions": (),
    "padding": ("do_not_pad",),
    "truncate_prompt_tokens": (-1,),
    "truncation_side": ("left",),
    "add_generation_prompt": (False,),
    "continue_final_message": (False,),
    "chat_template": (),
    "chat_template_kwargs": ({},),
    "task": ("classify", "score"),
}
"""Options that would change what is scored, and the values under which they do not."""


def activated(body: Mapping[str, Any]) -> bool:
    """Whether a request asks for the sigmoid: `use_activation`, or `activation` as it was called before vLLM 0.11.2."""
    return bool(flag(body, "use_activation") or flag(body, "activation"))


class VllmTexts:
    """`input` holds rendered texts or token ids, `messages` one conversation."""

    name = "vLLM"
    routes = ("/classify", "/pooling")

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """`input` or `messages`: SGLang's /classify has `text` or `input_ids`."""
        return "input" in body or "messages" in body

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """`add_special_tokens` changes nothing: the token that a text begins with stands there once."""
        refuse(body, UNCHANGED)
        refuse(body, {"input": ()} if "messages" in body else {})
        asked = (
            [Question(turns=conversation(body["messages"], "messages"))]
            if "messages" in body
            else inputs(body["input"], "input")
        )
        options = {"activated": activated(body), "encoding": encoding(body)}
        return ScoreRequest(optional_name(body), tuple(asked), options)

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> dict[str, Any]:
        """One class for each text, or a vector of one number."""
        rewards = [squashed(one.reward) if asked.options["activated"] else one.reward for one in answers]
        model, counted = model_of(asked.model, answers), usage(answers)
        if path == "/classify":
            data: list[dict[str, Any]] = [
                {"index": at, "label": "LABEL_0", "probs": [reward], "num_classes": 1}
                for at, reward in enumerate(rewards)
            ]
            return {**head("classify", "list", model), "data": data, "usage": counted}
        data = [
            {"index": at, "object": "pooling", "data": encoded([reward], asked.options["encoding"])}
            for at, reward in enumerate(rewards)
        ]
        return {**head("pool", "list", model), "data": data, "usage": counted}

    def refusal(self, status: int, message: str) -> dict[str, Any]:
        """In OpenAI's style."""
        return openai_refusal(status, message)
