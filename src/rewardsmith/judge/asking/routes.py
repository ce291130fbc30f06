"""Label probabilities from the scoring routes of vLLM (`/generative_scoring`) and SGLang (`/v1/score`).

Both take `{query, items, label_token_ids, apply_softmax}` with token ids, read query + item, and answer for every item with
what the next token has: SGLang with the probability of each label token, vLLM with that of the first one only, so that it
is asked once a token. Items here are the beginnings of labels, so that labels of several tokens are exact.
"""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.generate.candidates import digest_of
from rewardsmith.generate.remote.many import answered
from rewardsmith.generate.remote.sending import Refused, Sender
from rewardsmith.generate.remote.wire import Unreadable, excerpt, json_object
from rewardsmith.judge.asking.labels import LabelMasses, LabelQuestion, MassesFound, failure
from rewardsmith.judge.asking.local import QuestionRenderer, RenderedQuestion
from rewardsmith.judge.asking.trie import Path
from rewardsmith.judge.endpoints import JudgeEndpoint
from rewardsmith.model.loading.locating import locate
from rewardsmith.model.loading.tokenizer import load_tokenizer


@dataclass
class RouteLabels:
    """A model behind vLLM or SGLang, with its tokenizer here; `retried` counts requests that were sent again."""

    endpoint: JudgeEndpoint
    thinking: bool | None = None
    retried: int = 0
    renderer: QuestionRenderer = field(init=False)

    def __post_init__(self) -> None:
        name = str(self.endpoint.tokenizer)
        self.renderer = QuestionRenderer(load_tokenizer(locate(name), trust_remote_code=False), self.thinking)

    @property
    def address(self) -> str:
        """Where requests go: vLLM has its route beside /v1, SGLang below it."""
        root = self.endpoint.url.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1")
        return f"{root}/generative_scoring" if self.endpoint.route == "vllm" else f"{root}/v1/score"

    def made_by(self) -> str:
        """The address and the model."""
        return digest_of(self.address, self.endpoint.model, self.thinking)

    def score(self, questions: Sequence[LabelQuestion], found: MassesFound) -> None:
        """One request a question on SGLang, one a label token on vLLM."""
        rendered = []
        for question in questions:
            try:
                rendered.append(self.renderer.render(question))
            except ContractError as error:
                found(question, failure(error))
        sender = Sender(self.endpoint)
        with contextlib.closing(answered(sender, rendered, lambda one: self._masses(sender, one))) as answers:
            for one, outcome in answers:
                found(one.question, failure(outcome) if isinstance(outcome, Refused) else outcome)
        self.retried += sender.retried

    def _masses(self, sender: Sender, one: RenderedQuestion) -> LabelMasses:
        behind: list[Path] = [(), *one.paths.inner]
        tokens = one.paths.tokens
        columns = []
        for asked in [tokens] if self.endpoint.route == "sglang" else [[token] for token in tokens]:
            body = body_of(self.endpoint, one, behind, asked)
            columns.append(sender.post(self.address, body, partial(table_in, items=len(behind), tokens=len(asked))))
        with np.errstate(divide="ignore"):
            table = np.log(np.concatenate(columns, axis=1))
        masses = one.paths.masses(dict(zip(behind, table, strict=True)))
        return LabelMasses(masses, tokens=0, prompt_tokens=len(one.ids))


def body_of(
    endpoint: JudgeEndpoint, one: RenderedQuestion, behind: Sequence[Path], tokens: Sequence[int]
) -> dict[str, Any]:
    """The request for the probabilities of some tokens behind the question and each beginning of a label.

    An item may not be empty, so the last token of the question stands in it.
    """
    items = [[one.ids[-1], *path] for path in behind]
    return {
        "model": endpoint.model,
        "query": list(one.ids[:-1]),
        "items": items,
        "label_token_ids": list(tokens),
        "apply_softmax": False,
        "item_first": False,
    }


def table_in(content: bytes, items: int, tokens: int) -> np.ndarray:
    """The probabilities (items, tokens) of an answer, `scores` of SGLang or `data` of vLLM; Unreadable for other numbers."""
    answer = json_object(content)
    data = answer.get("data")
    rows = answer.get("scores")
    if isinstance(data, list) and all(isinstance(each, Mapping) for each in data):
        rows = [[each.get("score")] for each in sorted(data, key=lambda each: int(each.get("index", 0)))]
    if not isinstance(rows, list) or len(rows) != items or not all(sound(row, tokens) for row in rows):
        raise Unreadable(
            f"the response of the API has no {items} x {tokens} probabilities ({excerpt(content)}); check route:"
        )
    return np.array(rows, dtype=np.float64)


def sound(row: Any, tokens: int) -> bool:
    """Whether a row is so many probabilities."""
    return (
        isinstance(row, list)
        and len(row) == tokens
        and all(isinstance(p, int | float) and math.isfinite(p) and 0 <= p <= 1 + 1e-6 for p in row)
    )
