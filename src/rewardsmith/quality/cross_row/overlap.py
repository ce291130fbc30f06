"""Whether what a model is judged by was in its training data: the same comparisons, the same or nearly the same prompts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from rewardsmith.quality.cross_row.duplicates import THRESHOLD
from rewardsmith.quality.cross_row.minhash import units
from rewardsmith.quality.cross_row.near import Item, NearIndex, Shingled, prepare
from rewardsmith.records import Record

SAME_PAIR, SAME_PROMPT, NEAR_PROMPT, NEW = "same_pair", "same_prompt", "near_prompt", "new"
KINDS = (SAME_PAIR, SAME_PROMPT, NEAR_PROMPT, NEW)
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
    `minhash`). A record without a prompt is told by its responses alone.
    """
    known = TrainingTexts(training)
    kinds = [known.kind(record) for record in judged]
    near = near_prompts([record for record, kind in zip(judged, kinds, strict=True) if kind == NEW], training)
    at = 0
    examples: list[tuple[str, str, float]] = []
    for number, record in enumerate(judged):
        if kinds[number] == NEW:
            twin, at = near[at], at + 1
            if twin is None:
                continue
            kinds[number] = NEAR_PROMPT
        else:
            twin = known.place(record), 1.0
        examples.append((record.place, *twin))
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


class Prompt(NamedTuple):
    """A prompt with enough words: its text, where it first occurs, and whether it is judged or of the training records."""

    text: str
    place: str
    judged: bool


def near_prompts(judged: Sequence[Record], training: Sequence[Record]) -> list[tuple[str, float] | None]:
    """For each judged record the place of the training record with the most similar prompt, and the similarity.

    None where none reaches the threshold, or where one of the prompts has fewer than FEWEST_UNITS words.
    """
    prompts: dict[int, Prompt] = {}
    for records, side in ((judged, True), (training, False)):
        for record in records:
            text = prompt_text(record)
            if len(units(text)) >= FEWEST_UNITS:
                prompts.setdefault(key_of(side, text), Prompt(text, record.place, side))
    best: dict[int, tuple[str, float]] = {}
    for one, other, value in alike(prompts):
        if prompts[one].judged and not prompts[other].judged and value > best.get(one, ("", 0.0))[1]:
            best[one] = prompts[other].place, value
    return [best.get(key_of(True, prompt_text(record))) for record in judged]


def alike(prompts: Mapping[int, Prompt]) -> Iterator[tuple[int, int, float]]:
    """Both orders of each two prompts that are nearly the same, by their keys, with the similarity."""
    index = NearIndex(THRESHOLD)
    shingled = Shingled([prompt.text for prompt in prompts.values()])
    index.extend(prepare([Item(key, [prompt.text]) for key, prompt in prompts.items()], shingled))
    items, _ = index.distinct()
    found, _ = index.pairs(items, np.zeros(0, np.int64))
    for a, b, value in zip(found.first.tolist(), found.second.tolist(), found.similarity.tolist(), strict=True):
        one, other = index.keys[int(items[a])], index.keys[int(items[b])]
        yield one, other, value
        yield other, one, value


def key_of(judged: bool, text: str) -> int:
    """64 bits of a side and a text."""
    data = f"{judged}\x1d{text}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
