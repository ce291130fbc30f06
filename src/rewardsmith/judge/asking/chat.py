"""Label probabilities out of the `top_logprobs` of chat completions, as OpenAI, vLLM, SGLang and llama.cpp give them.

An API shows the likeliest tokens where its own answer goes, and what would follow another token is not known. So a label of
several tokens is followed along the answer alone; where much of the probability could belong to either of two labels
(1 or the beginning of 10), there is no reading.
"""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.generate.candidates import Sampling, digest_of
from rewardsmith.generate.remote.many import answered
from rewardsmith.generate.remote.sending import Refused, Sender
from rewardsmith.generate.remote.wire import Unreadable, body_of, count, decoded, excerpt, usage_of
from rewardsmith.judge.asking.labels import AMBIGUOUS, LabelMasses, LabelQuestion, MassesFound, failure
from rewardsmith.judge.endpoints import JudgeEndpoint

TOP = 20
"""Tokens that are asked for at each place; the most that OpenAI gives."""
TOLERATED = 0.01
"""Share of the labels' probability that may be left open."""
Likeliest = Sequence[tuple[str, float]]
"""At one place of an answer the likeliest tokens with their probabilities."""


@dataclass
class ChatLabels:
    """A model behind a chat API; `retried` counts requests that were sent again."""

    endpoint: JudgeEndpoint
    thinking: bool | None = None
    retried: int = 0

    def made_by(self) -> str:
        """The address and the model."""
        return digest_of("chat", self.endpoint.address, self.endpoint.model, self.thinking)

    def score(self, questions: Sequence[LabelQuestion], found: MassesFound) -> None:
        """One request a question; Hopeless where the API refuses what it would refuse every time."""
        sender = Sender(self.endpoint)

        def ask(question: LabelQuestion) -> LabelMasses:
            longest = max(map(len, question.labels))
            sampling = Sampling(max_tokens=min(longest + 1, 8), temperature=0.0, thinking=self.thinking)
            body = body_of(self.endpoint, sampling, question.prompt, 0) | {"logprobs": True, "top_logprobs": TOP}
            return sender.post(self.endpoint.address, body, lambda content: masses_in(content, question.labels))

        with contextlib.closing(answered(sender, questions, ask)) as answers:
            for question, outcome in answers:
                found(question, failure(outcome) if isinstance(outcome, Refused) else outcome)
        self.retried += sender.retried


def masses_in(content: bytes, labels: Sequence[str]) -> LabelMasses:
    """The masses of labels in the body of an answer; Unreadable where it has no log-probabilities."""
    answer = decoded(content)
    places = places_of(answer["choices"][0], content)
    usage = usage_of(answer)
    masses, open_mass = along(places, labels)
    used = count(usage.get("completion_tokens")), count(usage.get("prompt_tokens"))
    if open_mass > TOLERATED * (sum(masses) + open_mass):
        reason = (
            "the API does not distinguish the labels; choose labels of which none is the beginning of another, such as a "
            "scale 0 to 9"
        )
        return LabelMasses((), AMBIGUOUS, reason, *used)
    return LabelMasses(tuple(masses), "", "", *used)


def places_of(choice: Mapping[str, Any], content: bytes) -> list[tuple[str, Likeliest]]:
    """For each token of an answer its text, and the likeliest tokens in its place."""
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, list) or not tokens:
        raise Unreadable(f"the response of the API has no logprobs ({excerpt(content)}); use reading: text")
    found: list[tuple[str, Likeliest]] = []
    for token in tokens:
        top = token.get("top_logprobs") if isinstance(token, Mapping) else None
        if not isinstance(top, list) or not top or not isinstance(token.get("token"), str):
            raise Unreadable(f"the response of the API has no top_logprobs ({excerpt(content)}); use reading: text")
        found.append((token["token"], [likely(each, content) for each in top]))
    return found


def likely(value: Any, content: bytes) -> tuple[str, float]:
    """A token's text and probability."""
    text, logprob = (value.get("token"), value.get("logprob")) if isinstance(value, Mapping) else (None, None)
    if not isinstance(text, str) or not isinstance(logprob, int | float) or math.isnan(logprob) or logprob > 1e-3:
        raise Unreadable(f"a log-probability in the response of the API is not a number ({excerpt(content)})")
    return text, math.exp(min(0.0, logprob))


def along(places: Sequence[tuple[str, Likeliest]], labels: Sequence[str]) -> tuple[list[float], float]:
    """(the mass of each label along an answer; the mass that may belong to one label or another).

    At each place the tokens other than the answer's own count where they complete a label, and are left open where they only
    begin one; the answer's own token is followed. What does not go on from a label to a longer one is that label's.
    """
    masses, left_open, begun, share = [0.0] * len(labels), 0.0, "", 1.0
    for chosen, top in places:
        texts = [(text, f"{begun}{text}".lstrip(), share * probability) for text, probability in top]
        if begun in labels:
            masses[labels.index(begun)] += ends_here(texts, begun, share, labels)
        following: tuple[str, float] | None = None
        for text, said, mass in texts:
            match state_of(said, begun, labels, {other for _, other, _ in texts}):
                case "whole":
                    masses[labels.index(said.strip())] += mass
                case "begun" if text == chosen:
                    following = said, mass
                case "begun" if said:
                    left_open += mass
        if following is None:
            return masses, left_open
        begun, share = following
    return masses, left_open + share * bool(begun)


def state_of(said: str, begun: str, labels: Sequence[str], seen: set[str]) -> str:
    """What a text is: a `whole` label, one `begun` (or space before one), or `other`; without any progress also `other`."""
    if said.strip() == begun != "":
        return "other"
    if complete(said, labels, seen):
        return "whole"
    return "begun" if not said or begins_label(said, labels) else "other"


def ends_here(texts: Sequence[tuple[str, str, float]], begun: str, share: float, labels: Sequence[str]) -> float:
    """The mass of a label that others begin with, less what is continued to one of them."""
    return max(0.0, share - sum(mass for _, said, mass in texts if said != begun and begins_label(said, labels)))


def begins_label(text: str, labels: Sequence[str]) -> bool:
    """Whether a label is this text or goes on behind it."""
    return any(label.startswith(text) for label in labels)


def complete(text: str, labels: Sequence[str], seen: set[str]) -> bool:
    """Whether a text is a label and cannot become another: the longer ones are seen as tokens of their own."""
    return text.strip() in labels and all(label in seen for label in labels if label != text and label.startswith(text))
