"""The frozen records that every stage passes on.

A record is one prompt with K >= 1 responses and what annotators said about them. A preference pair is K = 2 with
one comparison; ties, soft labels, votes, rankings, margins and attributes are data, not special cases. Responses keep
the order of the source, and no code may read a label out of a response's index.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from rewardsmith.errors import DataError

ROLES = ("system", "user", "assistant", "tool")
CHOSEN_IN_A_TIE = "chosen_in_a_tie"
"""The field that names a chosen response which others equal in their scores, so that they are a tie."""
EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is one of ROLES, `content` is text as the source gave it.

    `reasoning` is what the source kept apart from the content (`reasoning_content`, `thinking`): part of what the turn is,
    and scored where the scoring contract says so.
    """

    role: str
    content: str
    reasoning: str | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise DataError(f"unknown role {self.role!r}; expected one of {', '.join(ROLES)}")

    @property
    def parts(self) -> tuple[str, ...]:
        """Role, content, and the reasoning where there is one: what tells one turn from another."""
        return (self.role, self.content) if self.reasoning is None else (self.role, self.content, self.reasoning)


Conversation = tuple[Message, ...]
Turns = str | Sequence[Message] | Sequence[Mapping[str, str]]
"""How a caller may write a conversation: a bare text, messages, or mappings with role and content."""


@dataclass(frozen=True, slots=True)
class Response:
    """A continuation of the prompt: usually one assistant message, several where dialogues diverge early."""

    messages: Conversation
    generator: str | None = None

    @property
    def text(self) -> str:
        """The assistant's words, turns joined by a blank line."""
        return "\n\n".join(message.content for message in self.messages if message.role == "assistant")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Response `i` was preferred to response `j` by a share `preference` in [0.5, 1] of the judges (0.5 = tie).

    `weight` >= 0 scales its loss; `margin` is how much better in the source's own unit; `votes` counts the judges for
    (i, j, undecided) where the source tells; `shown_first` is the index of the response that the judge saw first.
    """

    i: int
    j: int
    preference: float = 1.0
    weight: float = 1.0
    margin: float | None = None
    attribute: str = "overall"
    votes: tuple[int, int, int] | None = None
    shown_first: int | None = None

    def __post_init__(self) -> None:
        if not 0.5 <= self.preference <= 1.0:
            raise DataError(
                f"preference {self.preference!r} is outside [0.5, 1]; swap i and j to express a preference below 0.5"
            )
        if not (self.weight >= 0 and math.isfinite(self.weight)):
            raise DataError(f"weight {self.weight!r} is not a finite number >= 0")
        if self.i == self.j or self.i < 0 or self.j < 0:
            raise DataError(f"a comparison needs two different responses, got i={self.i}, j={self.j}")

    @property
    def is_tie(self) -> bool:
        """Whether the judges were undecided."""
        return self.preference == 0.5


@dataclass(frozen=True)
class Record:
    """One prompt, its responses, and the judgements on them.

    `prompt` may be empty (a response without a prompt). `ratings` maps an attribute to one value (or None) per
    response. `fields` are the source's other columns that later stages may group by (topic, subset, …).
    The row's identity is (source, line), line counted from 1; `id` is a hash of the content and need not be unique.
    `byte` is where the row begins in its file; it plays no part in whether two records are equal.

    With `by_steps` the responses are one solution cut at its steps: response k is what was written up to the end of step k,
    and its overall rating in [0, 1], if it is known, says whether step k is correct.
    """

    prompt: Conversation
    responses: tuple[Response, ...]
    comparisons: tuple[Comparison, ...] = ()
    ratings: Mapping[str, tuple[float | None, ...]] = field(default_factory=lambda: EMPTY)
    fields: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    source: str = ""
    line: int = 0
    byte: int | None = field(default=None, compare=False, repr=False)
    by_steps: bool = False

    def __post_init__(self) -> None:
        if not self.responses:
            raise DataError("a record needs at least one response")
        if self.by_steps:
            check_steps(self.responses, self.ratings.get("overall", ()))
        for comparison in self.comparisons:
            if max(comparison.i, comparison.j) >= len(self.responses):
                raise DataError(
                    f"{comparison} refers to a response that does not exist; the record has {len(self.responses)}"
                )
        for attribute, values in self.ratings.items():
            if len(values) != len(self.responses):
                raise DataError(f"{len(values)} ratings for {attribute!r}, but {len(self.responses)} responses")

    @cached_property
    def id(self) -> str:
        """16 hex digits of the SHA-256 of prompt and responses (order kept; labels and source play no part)."""
        digest = hashlib.sha256(b"\x1c" if self.by_steps else b"")
        for conversation in (self.prompt, *(response.messages for response in self.responses)):
            digest.update(b"\x1d")
            for message in conversation:
                digest.update(b"\x1e" + "\x1f".join(message.parts).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def prompt_id(self) -> str:
        """16 hex digits of the SHA-256 of the prompt, for grouping rows that share it."""
        digest = hashlib.sha256()
        for message in self.prompt:
            digest.update(b"\x1e" + "\x1f".join(message.parts).encode())
        return digest.hexdigest()[:16]

    @property
    def place(self) -> str:
        """Where the row came from, as `file:line`."""
        return f"{self.source}:{self.line}"

    @property
    def steps(self) -> tuple[str, ...]:
        """What each step of a record by steps adds to the solution; what stands between two steps begins the second."""
        texts = [response.messages[0].content for response in self.responses]
        return tuple(text[len(before) :] for before, text in zip(["", *texts], texts, strict=False))

    @property
    def conversations(self) -> Iterator[Conversation]:
        """Each response as a whole conversation, prompt first."""
        return (self.prompt + response.messages for response in self.responses)

    def at(self, source: str, line: int, byte: int | None = None) -> "Record":
        """The same record with another origin."""
        return replace(self, source=source, line=line, byte=byte)


def check_steps(responses: Sequence[Response], labels: Sequence[float | None]) -> None:
    """DataError unless each response is one assistant turn that continues the one before, and labels lie in [0, 1]."""
    before = ""
    for number, response in enumerate(responses, start=1):
        text = text_of_step(response, number)
        if not (text.startswith(before) and text[len(before) :].strip()):
            raise DataError(
                f"step {number} does not continue step {number - 1}; expected its text with more words after it"
            )
        before = text
    for number, label in enumerate(labels, start=1):
        if label is not None and not 0 <= label <= 1:
            raise DataError(f"the label of step {number} is {label}; expected 0 (wrong) to 1 (correct)")


def text_of_step(response: Response, number: int) -> str:
    """The solution up to the end of a step; DataError unless it is one assistant message without reasoning apart."""
    turn = response.messages[0] if len(response.messages) == 1 else None
    if turn is None or turn.role != "assistant" or turn.reasoning is not None:
        raise DataError(f"step {number} is not one assistant message; expected the text up to the end of that step")
    return turn.content


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An input row that could not become a record: where, a machine-readable `code`, a sentence, and how it began.

    `byte` is where the row begins in its file, from 0 and in the unpacked data; None where it stands in no file of bytes.
    """

    file: str
    line: int
    code: str
    reason: str
    excerpt: str
    byte: int | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A record that a check took out: where, by which check, why, and its twin (`file:line`) for a duplicate.

    `value` is what the check measured and `threshold` what it was compared with, for checks that have such.
    """

    file: str
    line: int
    check: str
    reason: str
    excerpt: str
    twin: str | None = None
    value: float | str | None = None
    threshold: float | str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """An input row that became part of the record before it (of the row at `into`, as `file:line`)."""

    source: str
    line: int
    into: str
    excerpt: str = ""
    byte: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A line of plain text (`.txt`): nothing to train on, but the text checks apply."""

    text: str
    source: str
    line: int
    byte: int | None = None
