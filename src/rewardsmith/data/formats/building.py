"""What the formats are built from: a Format, and records of a pair or of several responses."""

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from rewardsmith.data.formats.dialogues import answers_to, conversation, response, with_system
from rewardsmith.data.formats.written import is_nothing
from rewardsmith.data.input.fields import Columns, as_text, items, number, optional_number, text, texts
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Comparison, Conversation, Message, Record, Response

CHOSEN_NAMES = ("chosen", "chosen_response", "response")
REJECTED_NAMES = ("rejected", "rejected_response")
PROMPT_NAMES = ("prompt", "context_messages", "instruction", "question", "input", "query")
NONE: frozenset[str] = frozenset()
GENERATORS = (("chosen_model", "chosen-model"), ("rejected_model", "rejected-model"))
SCORES = (
    ("score_chosen", "chosen_score", "chosen-rating", "chosen_rating", "chosen_avg_rating"),
    ("score_rejected", "rejected_score", "rejected-rating", "rejected_rating", "rejected_avg_rating"),
)
BESIDE_PAIRS = frozenset(
    {"margin", "models", "system", *(name for names in (*GENERATORS, *SCORES) for name in names)},
)
"""Columns that every format of pairs reads."""


def nothing_more(row: Columns) -> frozenset[str]:
    """No columns besides those that a format always uses."""
    return frozenset()


@dataclass(frozen=True)
class Format:
    """How one kind of row is recognised and read.

    `fits` gives the columns by which a row is known to be of this kind, none where it is not; a column that is null is not
    there. `uses` are the columns that `adapt` reads, `also` those that it reads in one row and not in another. `group` names
    what adjacent rows share that belong into one record, from a row and its record (None: the row stays alone).
    With `hashed_order` the responses stand in the order of their hash, and the comparisons name the preferred ones and
    the others in the order of the row.
    """

    description: str
    fits: Callable[[Columns], frozenset[str]]
    adapt: Callable[[Columns], Record]
    uses: frozenset[str]
    also: Callable[[Columns], frozenset[str]] = nothing_more
    group: Callable[[Columns, Record], Hashable | None] | None = None
    hashed_order: bool = False

    def used_in(self, row: Columns) -> frozenset[str]:
        """The columns that `adapt` reads in this row."""
        return self.uses | self.also(row)


def has(*names: str) -> Callable[[Columns], frozenset[str]]:
    """A test for rows that have all these columns: it gives their names, or none."""
    marks = frozenset(names)
    return lambda row: marks if all(row.get(name) is not None for name in names) else NONE


def marks_of(*names: str | None) -> frozenset[str]:
    """The names where each is there, else none of them."""
    return frozenset(name for name in names if name) if all(names) else NONE


def first_of(row: Columns, names: Sequence[str]) -> str | None:
    """The first of `names` that is a column of the row and not null."""
    return next((name for name in names if row.get(name) is not None), None)


def only_one(row: Columns, names: Sequence[str]) -> Any:
    """The value of the one of these columns that has one, None where none has; RowError where two have."""
    given = [name for name in names if row.get(name) is not None]
    if len(given) > 1:
        raise RowError(
            "two_columns", f"{given[0]} and {given[1]} have the same meaning; expected one of them; drop a column"
        )
    return row[given[0]] if given else None


def content_hash(answer: Response) -> bytes:
    """SHA-256 of a response's turns: an order that says nothing about which response is better."""
    turns = "\x1e".join("\x1f".join(message.parts) for message in answer.messages)
    return hashlib.sha256(turns.encode()).digest()


def pair(prompt: Conversation, answers: Sequence[Conversation], row: Columns, names: Sequence[str]) -> Record:
    """A record from a preferred and a rejected continuation, which it orders by their hash and not by their worth."""
    beside = row if not BESIDE_PAIRS.isdisjoint(row) else {}  # most rows have none of them
    better, worse = (
        response(turns, name, generator=generator)
        for turns, name, generator in zip(answers, names, models(beside, 2, GENERATORS), strict=True)
    )
    if better.messages == worse.messages:
        raise RowError(
            "identical_responses",
            (f"{names[0]} and {names[1]} are the same; expected two different responses; drop the row"),
        )
    scores = scores_of(beside) if beside else (None, None)
    margin = optional_number(row, "margin")
    better_first = content_hash(better) < content_hash(worse)
    i, j = (0, 1) if better_first else (1, 0)
    return Record(
        prompt=with_system(prompt, row.get("system")),
        responses=(better, worse) if better_first else (worse, better),
        comparisons=(Comparison(i, j, margin=margin),),
        ratings={} if scores == (None, None) else {"overall": scores if better_first else scores[::-1]},
    )


def ordered(prompt: Conversation, preferred: Sequence[Response], others: Sequence[Response]) -> Record:
    """A record in which each preferred response beats each of the others; their order is that of their hash."""
    if not preferred or not others:
        raise RowError("no_judgement", "chosen or rejected is an empty list; expected at least one response in each")
    if any(answer.messages == other.messages for answer in preferred for other in others):
        raise RowError("identical_responses", "a response is both chosen and rejected; expected only one of them")
    every = [*preferred, *others]
    order = sorted(range(len(every)), key=lambda at: (content_hash(every[at]), at))
    place = {at: rank for rank, at in enumerate(order)}
    between = product(range(len(preferred)), range(len(preferred), len(every)))
    comparisons = tuple(Comparison(place[i], place[j]) for i, j in between)
    return Record(prompt, tuple(every[at] for at in order), comparisons)


def scores_of(row: Columns) -> tuple[float | None, ...]:
    """The ratings of the preferred and of the rejected response, under one of the names in SCORES; None without."""
    values = [(only_one(row, same), same[0]) for same in SCORES]
    return tuple(None if value is None else number(value, name) for value, name in values)


def models(row: Columns, count: int, names: Sequence[Sequence[str]] = ()) -> Sequence[str | None]:
    """Who wrote each response, from the list `models` or one column each; None where the row does not say."""
    if not row:
        return [None] * count
    if row.get("models") is not None:
        found = texts(row["models"], "models", length=count)
        if found is None:
            raise RowError("wrong_length", f"models is not a list of {count} names; expected one per response")
        return found
    values = [(only_one(row, same), same[0]) for same in names]
    return [None if value is None else as_text(value, name) for value, name in values] or [None] * count


def candidates(
    row: Columns, answers: Sequence[Any], name: str = "responses", prompt: Conversation | None = None
) -> Record:
    """Prompt (that of the row's column `prompt`, where none is given) and responses in their order, without judgements."""
    if prompt is None:
        prompt = () if row.get("prompt") is None else conversation(row["prompt"], "prompt", role="user")
    turns = [conversation(value, f"{name}[{at}]", role="assistant") for at, value in enumerate(answers)]
    if turns:
        prompt, turns = answers_to(prompt, turns, [f"{name}[{at}]" for at in range(len(turns))])
    found = tuple(
        response(each, f"{name}[{at}]", generator=generator)
        for at, (each, generator) in enumerate(zip(turns, models(row, len(answers)), strict=True))
    )
    if not found:
        raise RowError("empty_response", f"{name} is empty; expected at least one response; drop the row")
    refuse_identical(found)
    return Record(with_system(prompt, row.get("system")), found)


def refuse_identical(found: Sequence[Response]) -> None:
    """Refuse two responses that are the same text; among more of them, it is a finding."""
    if len(found) == 2 and found[0].messages == found[1].messages:
        raise RowError(
            "identical_responses", "both responses are the same; expected two different responses; drop the row"
        )


def two_columns(row: Columns, prompt: Any, names: Sequence[str]) -> Record:
    """A record from a prompt and two columns with one response each, in the row's order."""
    values = [text(row, name) for name in names]
    return candidates({"prompt": prompt, "system": row.get("system")}, values)


def named_prompt(row: Columns) -> Conversation:
    """The prompt under one of PROMPT_NAMES; with `instruction`, also `input` and `history` as LLaMA-Factory joins them.

    Instruction and input stand in one user turn, a line break between; the pairs of `history` come before it.
    """
    name = first_of(row, PROMPT_NAMES)
    value = None if name is None else row[name]
    if value is None:
        raise RowError("missing_field", f"the column {name or 'prompt'!r} is missing or null; expected a prompt")
    if name == "query":
        return (*history(row), *conversation(value, "query", role="user"))
    if name != "instruction":
        return conversation(value, str(name), role="user")
    spoken = as_text(value, "instruction")
    added = "" if row.get("input") is None else as_text(row["input"], "input")
    return (*history(row), *conversation("\n".join(filter(None, (spoken, added))), "instruction", role="user"))


def history(row: Columns) -> Conversation:
    """The earlier rounds of an Alpaca row: a list of [user, assistant] pairs."""
    turns: list[Message] = []
    for at, round_ in enumerate([] if is_nothing(row.get("history")) else items(row, "history")):
        said = texts(round_, "history", length=2)
        if said is None:
            raise RowError("wrong_type", f"history[{at}] is not a pair of texts; expected [user, assistant]")
        turns += [Message("user", said[0]), Message("assistant", said[1])]
    return tuple(turns)


def prompt_columns(row: Columns) -> frozenset[str]:
    """The columns that `named_prompt` reads in this row."""
    name = first_of(row, PROMPT_NAMES)
    beside = {"instruction": {"input", "history"}, "query": {"history"}}
    return frozenset({name, *beside.get(name, ())}) if name else NONE
