"""Whether what a model is judged by was in its training data: the same or nearly the same comparisons and prompts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from rewardsmith.quality.cross_row.duplicates import THRESHOLD
from rewardsmith.quality.cross_row.minhash import units
from rewardsmith.quality.cross_row.near import Item, NearIndex, Shingled, prepare
from rewardsmith.records import Record

SAME_PAIR, NEAR_PAIR, SAME_PROMPT, NEAR_PROMPT, NEW = "same_pair", "near_pair", "same_prompt", "near_prompt", "new"
KINDS = (SAME_PAIR, NEAR_PAIR, SAME_PROMPT, NEAR_PROMPT, NEW)
"""How a judged record stands to the training records, the strongest first."""

FEWEST_UNITS = 4
"""Prompts with fewer words (or Chinese characters) are phrases that everybody uses, such as a greeting: only a response in
common tells that the record is the same."""


@dataclass(frozen=True)
class Overlap:
    """The kind of each judged record, and for some that are not new the judged and the training place and the similarity."""

    kinds: tuple[str, ...]
    examples: tuple[tuple[str, str, float], ...]


def overlap_with(judged: Sequence[Record], training: Sequence[Record], *, shown: int = 5) -> Overlap:
    """Compare records with the training records, case and punctuation aside.

    same_pair: a training record has the same prompt and at least two of the same responses (or the only one);
    same_prompt: the same prompt only; near_prompt: the Jaccard similarity of the prompts' shingles is at least 0.8 (see
    `minhash`); near_pair: that, and at least two (or the only one) of the responses are, so nearly, those to such a prompt.
    A record without a prompt is told by its responses alone.
    """
    known = TrainingTexts(training)
    kinds = [known.kind(record) for record in judged]
    twins = twins_of([record for record, kind in zip(judged, kinds, strict=True) if kind == NEW], training)
    at = 0
    examples: list[tuple[str, str, float]] = []
    for number, record in enumerate(judged):
        if kinds[number] == NEW:
            twin, at = twins[at], at + 1
            if twin is None:
                continue
            kinds[number] = NEAR_PAIR if twin.responses else NEAR_PROMPT
            examples.append((record.place, twin.place, twin.similarity))
        else:
            examples.append((record.place, known.place(record), 1.0))
    return Overlap(tuple(kinds), tuple(examples[:shown]))


def prompt_text(record: Record) -> str:
    """All turns of the prompt."""
    return "\n".join(message.content for message in record.prompt)


def digest(text: str) -> bytes:
    """16 bytes of a text's words in order, case and punctuation aside; of the text itself where it has no words."""
    words = units(text)
    return blake2b(("\x1f".join(words) if words else text).encode(errors="surrogatepass"), digest_size=16).digest()


class TrainingTexts:
    """Hashes of the prompts and responses that were trained on."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.responses: dict[bytes, set[bytes]] = {}
        self.places: dict[bytes, str] = {}
        for record in records:
            prompt = digest(prompt_text(record))
            self.responses.setdefault(prompt, set()).update(digest(response.text) for response in record.responses)
            self.places.setdefault(prompt, record.place)

    def kind(self, record: Record) -> str:
        """How a judged record stands to these texts, near prompts aside."""
        text = prompt_text(record)
        known = self.responses.get(digest(text))
        if known is None:
            return NEW
        shared = sum(digest(response.text) in known for response in record.responses)
        if shared >= min(2, len(record.responses)):
            return SAME_PAIR
        return SAME_PROMPT if len(units(text)) >= FEWEST_UNITS else NEW

    def place(self, record: Record) -> str:
        """Where the training record with the prompt of this one stands."""
        return self.places[digest(prompt_text(record))]


class SidedText(NamedTuple):
    """A prompt or a response with enough words to be compared: its text, where it first occurs, and whether it is judged."""

    text: str
    place: str
    judged: bool


class Twin(NamedTuple):
    """The place of the training record with the most similar prompt, the similarity, and whether so many of the responses
    are known too that it is the same comparison.
    """

    place: str
    similarity: float
    responses: bool


def twins_of(judged: Sequence[Record], training: Sequence[Record]) -> list[Twin | None]:
    """The twin of each judged record; None where no prompt is alike, or one of both has fewer than FEWEST_UNITS words."""
    prompts = both_sides(judged, training, lambda record: [prompt_text(record)])
    best: dict[int, tuple[str, float]] = {}
    near: set[int] = set()
    for one, other, value in across(prompts):
        near.add(other)
        if value > best.get(one, ("", 0.0))[1]:
            best[one] = prompts[other].place, value
    found = [best.get(key_of(True, prompt_text(record))) for record in judged]
    beside = [record for record in training if key_of(False, prompt_text(record)) in near]
    known = iter(responses_known([record for record, twin in zip(judged, found, strict=True) if twin], beside))
    return [Twin(*twin, next(known)) if twin else None for twin in found]


def responses_known(judged: Sequence[Record], training: Sequence[Record]) -> list[bool]:
    """Whether at least two responses of each judged record (or the only one) are, exactly or nearly, training ones."""
    near = {one for one, _, _ in across(both_sides(judged, training, responses_of))}
    exact = {digest(text) for record in training for text in responses_of(record)}
    shared = [
        sum(digest(text) in exact or key_of(True, text) in near for text in responses_of(record)) for record in judged
    ]
    return [count >= min(2, len(record.responses)) for count, record in zip(shared, judged, strict=True)]


def responses_of(record: Record) -> list[str]:
    """The texts of the responses."""
    return [response.text for response in record.responses]


def both_sides(
    judged: Sequence[Record], training: Sequence[Record], texts_of: Callable[[Record], list[str]]
) -> dict[int, SidedText]:
    """The texts of judged and training records that have enough words to be compared, by their keys, each once a side."""
    found: dict[int, SidedText] = {}
    for records, side in ((judged, True), (training, False)):
        for record in records:
            for text in texts_of(record):
                if len(units(text)) >= FEWEST_UNITS:
                    found.setdefault(key_of(side, text), SidedText(text, record.place, side))
    return found


def across(texts: Mapping[int, SidedText]) -> Iterator[tuple[int, int, float]]:
    """The keys of each judged and each training text that are nearly the same, with the similarity."""
    if not texts:
        return
    index = NearIndex(THRESHOLD)
    shingled = Shingled([one.text for one in texts.values()])
    index.extend(prepare([Item(key, [one.text]) for key, one in texts.items()], shingled))
    items, _ = index.distinct()
    found, _ = index.pairs(items, np.zeros(0, np.int64))
    for a, b, value in zip(found.first.tolist(), found.second.tolist(), found.similarity.tolist(), strict=True):
        one, other = index.keys[int(items[a])], index.keys[int(items[b])]
        for judged, trained in ((one, other), (other, one)):
            if texts[judged].judged and not texts[trained].judged:
                yield judged, trained, value


def key_of(judged: bool, text: str) -> int:
    """64 bits of a side and a text."""
    data = f"{judged}\x1d{text}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
