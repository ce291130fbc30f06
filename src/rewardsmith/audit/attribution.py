"""Which words of a response its reward comes from.

Two ways, each exact in what it says. `prefix`: the reward of the conversation that ends with each token; a span's value is
how much the reward changes over its tokens. The values add up, with the reward before the response and the change over what
the template writes behind it, to the reward. A model has seen no conversations that end in the middle, so these are
readings of a model outside its training. `occlusion`: the reward of the response less that of the response without the
span; works for every model; the values need not add up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from rewardsmith.audit.biases.counterfactual import Score
from rewardsmith.audit.edits.edit import sentences_of
from rewardsmith.errors import DataError
from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.model.forward.batches import pad_rows
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Record
from rewardsmith.scoring.token_texts import token_texts
from rewardsmith.scoring.trees import build_tree

Method = Literal["prefix", "occlusion"]
MOST_WORDS = 120
"""Words of a response up to which each is taken out by itself; of a longer one, each sentence."""

WORD = re.compile(rf"[{CJK_RANGES}]+[^\w\s]*|[^\s{CJK_RANGES}]+")


@dataclass(frozen=True, slots=True)
class Contribution:
    """Characters `start` to `end` of a response, and what they add to its reward."""

    start: int
    end: int
    value: float


@dataclass(frozen=True)
class Attribution:
    """A response with the value of its spans, in order and without overlap; characters between them have none.

    `before` and `template_end` are the reward before the response and the change over the template's end (prefix only).
    """

    text: str
    spans: tuple[Contribution, ...]
    method: Method
    reward: float
    before: float | None = None
    template_end: float | None = None

    def to_json(self) -> dict[str, Any]:
        """`text`, `spans` [{start, end, value}], `method`, `reward`, and the two parts of the prefix method."""
        parts = {} if self.before is None else {"before": self.before, "template_end": self.template_end}
        return {
            "text": self.text,
            "spans": [{"start": span.start, "end": span.end, "value": span.value} for span in self.spans],
            "method": self.method,
            "reward": self.reward,
            **parts,
        }


def attribute(model: RewardModel | None, score: Score, record: Record, index: int, *, method: Method) -> Attribution:
    """The spans of one response by the method asked for; occlusion where the model or the text allows no prefixes, and
    without a model, for rewards that come from elsewhere.
    """
    if method == "prefix" and model is not None:
        found = by_prefix(model, record, index)
        if found is not None:
            return found
    return by_occlusion(score, record, index)


def why_no_prefixes(model: RewardModel) -> str | None:
    """Why the reward of each prefix cannot be read off one pass; None where it can."""
    if model.network.kind != "decoder":
        return "the model is an encoder, whose tokens see the whole text"
    return "the head reads other places than the last token" if model.network.readout is not None else None


def by_prefix(model: RewardModel, record: Record, index: int) -> Attribution | None:
    """Values from one forward pass; None where the model does not allow it or the response is not found among its tokens."""
    if why_no_prefixes(model) is not None:
        return None
    ids = model.encode(replace(record, responses=(record.responses[index],), comparisons=(), ratings={})).sequences[0]
    pieces = token_texts(model.tokenizer, ids)
    text = record.responses[index].text
    start = "".join(pieces).rfind(text)
    if start < 0 or not text:
        return None
    network = model.network
    packed, network.packed = network.packed, False
    network.use_attention()
    try:
        with torch.inference_mode():
            batch = pad_rows([build_tree([ids])], network.pad_id, network.device)
            along = [float(value) for value in network.along(batch)[1][0].double().cpu()]
    finally:
        network.packed = packed
        network.use_attention()
    places = list(places_of(pieces))
    inside = [k for k, (left, right) in enumerate(places) if right > start and left < start + len(text)]
    spans = tuple(joined(inside, places, along, start, len(text)))
    before = along[inside[0] - 1] if inside[0] else 0.0
    return Attribution(text, spans, "prefix", along[-1], before, along[-1] - along[inside[-1]])


def places_of(pieces: list[str]) -> Iterator[tuple[int, int]]:
    """Where each token's text begins and ends; a token without text has the next one's place."""
    place = 0
    for piece in pieces:
        yield place, place + max(1, len(piece)) if not piece else place + len(piece)
        place += len(piece)


def joined(
    inside: list[int], places: list[tuple[int, int]], along: list[float], start: int, length: int
) -> Iterator[Contribution]:
    """A span per token of the response, those of one character together."""
    open_at: int | None = None
    total = 0.0
    for number, k in enumerate(inside):
        left, right = (min(max(place - start, 0), length) for place in places[k])
        total += along[k] - (along[k - 1] if k else 0.0)
        open_at = left if open_at is None else open_at
        following = inside[number + 1] if number + 1 < len(inside) else None
        if following is None or places[following][0] - start > open_at:
            yield Contribution(open_at, right, total)
            open_at, total = None, 0.0


def units_of(text: str) -> list[tuple[int, int]]:
    """The words of a text (in Chinese, the runs between marks of punctuation), or its sentences where it is long."""
    words = [found.span() for found in WORD.finditer(text)]
    if len(words) <= MOST_WORDS:
        return words
    places, at = [], 0
    for line in text.split("\n"):
        for sentence in sentences_of(line):
            begin = text.index(sentence, at)
            at = begin + len(sentence)
            places.append((begin, at))
    return places


def by_occlusion(score: Score, record: Record, index: int) -> Attribution:
    """Values from the response without each of its words, or of its sentences."""
    response = record.responses[index]
    *first, last = response.messages
    if not last.content.strip():
        raise DataError(f"{record.place}: the response is empty; nothing to attribute its reward to")
    units = units_of(last.content)
    without = [(last.content[:left] + last.content[right:]).strip() for left, right in units]
    variants = tuple(replace(response, messages=(*first, replace(last, content=text))) for text in without)
    rewards = score([replace(record, responses=(response, *variants), comparisons=(), ratings={})])[0]
    spans = tuple(
        Contribution(left, right, float(rewards[0] - reward))
        for (left, right), reward in zip(units, rewards[1:], strict=True)
        if reward == reward
    )
    return Attribution(last.content, spans, "occlusion", float(rewards[0]))
