"""The task of the bench: confirm an order, in a vocabulary of whole phrases, with a gold reward that judges any text.

Prompts and first responses are the built-in data (`data.synthetic`, topic drinks). A policy writes phrases of the same
vocabulary in any order and number, which the built-in data never does, so that it can leave what reward models were
trained on; the gold reward stays defined wherever it goes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.data.synthetic.generate import LOGITS_PER_MATCH, generate
from rewardsmith.data.synthetic.texts import FRAMES, TOPICS
from rewardsmith.errors import DataError
from rewardsmith.records import Comparison, Message, Record, Response

TOPIC = "drinks"
END = 0
"""The token that ends a response."""
MAX_TOKENS = 24
"""Longest response, its end included."""
LOGITS_PER_EXTRA = 0.5
"""What the gold reward loses by each token that no clean response needs."""
MAX_EDITS = 12
"""Most edits of a scrambled response."""
HOLE = re.compile(r"\{\w+\}")
WORD = re.compile(r"[.,?!。]|[^\s.,?!。]+")


@dataclass(frozen=True)
class OrderTask:
    """One language of the task. `pieces` is the vocabulary, END first; `values` the tokens of each attribute's values."""

    language: str
    pieces: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self.pieces)

    @cached_property
    def longest_clean(self) -> int:
        """Tokens of the longest response of the built-in data without padding, its end not counted."""
        bodies = TOPICS[TOPIC][self.language].bodies
        frames = FRAMES[self.language].answers
        clean = (before + HOLE.sub("2", body) + after for body in bodies for before, after in frames)
        return max(len(self.encode(text)) for text in clean)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text of the built-in data, the longest that fits first; DataError for any other text."""
        found, place, whole = [], 0, text.strip()
        while place < len(whole):
            word = self._word.match(whole, place)
            if word is None:
                rest = whole[place : place + 20]
                raise DataError(f"{rest!r} is not in the vocabulary of the task; expected a text of the built-in data")
            found.append(self._token[word[1]])
            place = word.end()
        return found

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens up to their END: words with spaces between them in English, without in Chinese."""
        words = []
        for token in tokens:
            if token == END:
                break
            words.append(self.pieces[token])
        if self.language == "zh":
            return "".join(words)
        return re.sub(r" (?=[.,?!])", "", " ".join(words))

    def gold(self, prompt: Sequence[int], response: Sequence[int]) -> float:
        """LOGITS_PER_MATCH for every attribute of which the wanted value and no other is named, less LOGITS_PER_EXTRA for
        each token beyond those of the longest clean response. For a response of the built-in data its own gold reward.
        """
        asked, named = set(prompt), set(response)
        matches = sum(named & set(values) == asked & set(values) for values in self.values)
        return LOGITS_PER_MATCH * matches - LOGITS_PER_EXTRA * max(0, len(response) - self.longest_clean)

    @cached_property
    def _token(self) -> dict[str, int]:
        return {piece: token for token, piece in enumerate(self.pieces)}

    @cached_property
    def _word(self) -> re.Pattern[str]:
        by_length = sorted(self.pieces[1:], key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, by_length))})\\s*")


def order_task(language: str) -> OrderTask:
    """The task in a language, "en" or "zh"; DataError for another."""
    if language not in FRAMES:
        raise DataError(f"unknown language {language!r}; expected {' or '.join(FRAMES)}")
    phrases = TOPICS[TOPIC][language]
    words = [word for values in phrases.values.values() for word in values]
    words += [word for part in framing_of(language) for word in WORD.findall(part)]
    pieces = ("", *dict.fromkeys([*words, *FRAMES[language].padding]))
    place = {piece: token for token, piece in enumerate(pieces)}
    return OrderTask(language, pieces, tuple(tuple(place[word] for word in words) for words in phrases.values.values()))


def framing_of(language: str) -> Iterator[str]:
    """What is written around the values, in requests, answers and bodies."""
    for pair in (*FRAMES[language].requests, *FRAMES[language].answers):
        yield from pair
    for body in TOPICS[TOPIC][language].bodies:
        yield from HOLE.split(body)


@dataclass(frozen=True)
class OrderRecord:
    """A record of the task with its tokens and gold rewards."""

    record: Record
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    gold: tuple[float, ...]


def orders(
    task: OrderTask,
    count: int,
    *,
    responses: int = 2,
    seed: int,
    noise: float = 1.0,
    flipped: float = 0.0,
    padded: float = 0.0,
) -> list[OrderRecord]:
    """`count` records of the built-in data; of `flipped` of them the labels are wrong, of `padded` the winner is longer."""
    wanted = count
    while True:  # about every second record is of the topic
        made = generate(
            2 * wanted + 8,
            responses_per_prompt=responses,
            seed=seed,
            language=task.language,
            noise=noise,
            faults={"label_noise": flipped, "length_shortcut": padded},
        )
        found = [record for record in made.records if record.fields["topic"] == TOPIC]
        if len(found) >= count:
            return [as_order(task, record) for record in found[:count]]
        wanted += count


def as_order(task: OrderTask, record: Record) -> OrderRecord:
    """A record of the built-in data in tokens."""
    prompt = tuple(task.encode(record.prompt[-1].content))
    responses = tuple(tuple(task.encode(response.text)) for response in record.responses)
    return OrderRecord(record, prompt, responses, tuple(task.gold(prompt, response) for response in responses))


def scrambled(task: OrderTask, data: Sequence[OrderRecord], *, seed: int, noise: float = 1.0) -> list[OrderRecord]:
    """The same prompts with responses as no sentence has them, judged anew by the gold reward.

    Up to MAX_EDITS times a random phrase is put in, a phrase of the response repeated, or one dropped: what a policy may
    come to write. Preferences follow Bradley and Terry with temperature `noise` > 0.
    """
    rng = np.random.default_rng(seed)
    found = []
    for order in data:
        responses = tuple(edited(task, response, rng) for response in order.responses)
        gold = tuple(task.gold(order.prompt, response) for response in responses)
        comparisons = []
        for i, j in combinations(range(len(gold)), 2):
            first = rng.random() < 1 / (1 + np.exp((gold[j] - gold[i]) / noise))
            comparisons.append(Comparison(i, j) if first else Comparison(j, i))
        texts = tuple(Response((Message("assistant", task.decode(response)),)) for response in responses)
        record = replace(order.record, responses=texts, comparisons=tuple(comparisons))
        found.append(OrderRecord(record, order.prompt, responses, gold))
    return found


def edited(task: OrderTask, response: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """The response after up to MAX_EDITS random edits, of at most MAX_TOKENS - 1 phrases and at least one."""
    tokens = list(response)
    for _ in range(int(rng.integers(MAX_EDITS + 1))):
        place, kind = int(rng.integers(len(tokens))), int(rng.integers(3))
        if kind == 0 and len(tokens) > 1:
            tokens.pop(place)
        elif len(tokens) < MAX_TOKENS - 1:
            tokens.insert(
                place, int(rng.integers(1, task.size)) if kind == 1 else tokens[int(rng.integers(len(tokens)))]
            )
    return tuple(tokens)


def counts_of(task: OrderTask, rows: Sequence[Sequence[int]]) -> Float[np.ndarray, "B V"]:
    """How often each token stands in each row; END is not counted."""
    counts = np.zeros((len(rows), task.size), dtype=np.float32)
    for row, tokens in zip(counts, rows, strict=True):
        np.add.at(row, list(tokens), 1.0)
    counts[:, END] = 0.0
    return counts


def padded_rows(rows: Sequence[Sequence[int]]) -> tuple[Int[np.ndarray, "B T"], Float[np.ndarray, "B T"]]:
    """The rows, each with END behind it, and a mask of what counts (the END included)."""
    length = max(len(row) for row in rows) + 1
    tokens = np.full((len(rows), length), END, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.float32)
    for k, row in enumerate(rows):
        tokens[k, : len(row)] = row
        mask[k, : len(row) + 1] = 1.0
    return tokens, mask


def chosen_responses(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each row up to its first END, which is left out."""
    return [list(row[: row.index(END)]) if END in row else list(row) for row in rows]
