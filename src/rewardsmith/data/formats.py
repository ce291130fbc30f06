"""The formats rewardsmith reads: one small function per format, raw row → record, which may refuse with a RowError.

To add one: a function, a line in FORMATS, a test, and a section in docs/data-formats.md.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rewardsmith.data import native
from rewardsmith.data.dialogues import (
    conversation,
    dialogue,
    is_dialogue,
    message_list,
    refuse_unsupported,
    response,
    split_common,
    with_system,
    without_prompt,
)
from rewardsmith.data.fields import Columns, items, mapping, number, optional_number, others, required, text, texts
from rewardsmith.data.judgements import by_value, compare, ratings, verdict
from rewardsmith.data.rows import RowError
from rewardsmith.errors import DataError
from rewardsmith.records import Comparison, Conversation, Message, Record, Response

CHOSEN_REJECTED = ("chosen", "rejected")
ARENA_WINNERS = {"model_a": 0, "model_b": 1, "tie": None, "tie (bothbad)": None, "both_bad": None}


@dataclass(frozen=True)
class Format:
    """How one kind of row is recognised and read; `uses` are the columns that `adapt` reads."""

    description: str
    fits: Callable[[Columns], bool]
    adapt: Callable[[Columns], Record]
    uses: frozenset[str]


def content_hash(answer: Response) -> bytes:
    """SHA-256 of a response's turns: an order that says nothing about which response is better."""
    turns = "\x1e".join(f"{message.role}\x1f{message.content}" for message in answer.messages)
    return hashlib.sha256(turns.encode()).digest()


def pair(prompt: Conversation, answers: Sequence[Conversation], row: Columns, names: Sequence[str]) -> Record:
    """A record from a preferred and a rejected continuation, which it orders by their hash and not by their worth."""
    generators = models(row, 2, ("chosen_model", "rejected_model"))
    better, worse = (
        response(turns, name, generator=generator)
        for turns, name, generator in zip(answers, names, generators, strict=True)
    )
    if better.messages == worse.messages:
        raise RowError(
            "identical_responses", f"{names[0]} and {names[1]} are the same; expected two answers; drop the row"
        )
    first = content_hash(better) < content_hash(worse)
    i, j = (0, 1) if first else (1, 0)
    scores = (optional_number(row, "score_chosen"), optional_number(row, "score_rejected"))
    rated = {} if scores == (None, None) else {"overall": scores if first else scores[::-1]}
    return Record(
        prompt=with_system(prompt, row.get("system")),
        responses=(better, worse) if first else (worse, better),
        comparisons=(Comparison(i, j, margin=optional_number(row, "margin")),),
        ratings=rated,
    )


def models(row: Columns, count: int, names: Sequence[str] = ()) -> Sequence[str | None]:
    """Who wrote each response, from the list `models` or one column each; None where the row does not say."""
    if row.get("models") is not None:
        found = texts(row["models"], "models", length=count)
        if found is None:
            raise RowError("wrong_length", f"models is not a list of {count} names; expected one per response")
        return found
    return [text(row, name) if row.get(name) is not None else None for name in names] or [None] * count


def explicit_pair(row: Columns) -> Record:
    """TRL's pairs with a prompt: each of prompt, chosen and rejected is text or a list of messages."""
    prompt = conversation(required(row, "prompt"), "prompt", role="user")
    both = [conversation(required(row, name), name, role="assistant") for name in CHOSEN_REJECTED]
    both = [without_prompt(turns, prompt, name) for turns, name in zip(both, CHOSEN_REJECTED, strict=True)]
    return pair(prompt, both, row, CHOSEN_REJECTED)


def implicit_pair(row: Columns) -> Record:
    """TRL's pairs without a prompt column: message lists share their first turns; plain texts have no prompt at all."""
    values = [required(row, name) for name in CHOSEN_REJECTED]
    if all(isinstance(value, str) for value in values):
        return pair((), [(Message("assistant", value),) for value in values], row, CHOSEN_REJECTED)
    return diverging([message_list(value, name) for value, name in zip(values, CHOSEN_REJECTED, strict=True)], row)


def diverging(conversations: Sequence[Conversation], row: Columns) -> Record:
    """A pair of whole conversations: the turns they share are the prompt."""
    if not all(conversations):
        raise RowError("empty_response", "a conversation has no turns; expected an answer; drop the row")
    prompt, both = split_common(conversations)
    return pair(prompt, both, row, CHOSEN_REJECTED)


def dialogue_pair(row: Columns) -> Record:
    """Anthropic HH: two whole dialogues as `Human: … Assistant: …` text that share their first turns."""
    found = []
    for name in CHOSEN_REJECTED:
        value = text(row, name)
        if not is_dialogue(value):
            raise RowError("not_a_dialogue", f"{name} does not begin with 'Human:' or 'Assistant:' as in other rows")
        found.append(dialogue(value))
    return diverging(found, row)


def listed(row: Columns) -> Record:
    """K responses with scores, ranks, a ranking, votes or a chosen one; or nothing, where they await scoring."""
    answers = items(row, "responses")
    record = candidates(row, answers)
    found = tuple(compare(row, answers))
    return replace(record, comparisons=found, ratings=ratings(row, len(answers)))


def candidates(row: Columns, answers: Sequence[Any]) -> Record:
    """Prompt and responses of a row, in its order, without judgements."""
    given = row.get("prompt")
    prompt = () if given is None else conversation(given, "prompt", role="user")
    turns = [conversation(value, f"responses[{at}]", role="assistant") for at, value in enumerate(answers)]
    turns = [without_prompt(each, prompt, f"responses[{at}]") for at, each in enumerate(turns)]
    generators = models(row, len(answers))
    found = tuple(
        response(each, f"responses[{at}]", generator=generator)
        for at, (each, generator) in enumerate(zip(turns, generators, strict=True))
    )
    if not found:
        raise RowError("empty_response", "responses is empty; expected at least one answer; drop the row")
    if len(found) == 2 and found[0].messages == found[1].messages:
        raise RowError("identical_responses", "both responses are the same; expected two answers; drop the row")
    return Record(with_system(prompt, row.get("system")), found)


def judged(row: Columns) -> Record:
    """Two responses, shown to a judge in this order, with its verdict 1, 2, A, B or tie."""
    answers = items(row, "responses")
    if len(answers) != 2:
        raise RowError("wrong_length", f"a verdict needs two responses, the row has {len(answers)}")
    return replace(candidates(row, answers), comparisons=(verdict(row),))


def two_columns(row: Columns, prompt: Any, names: Sequence[str]) -> Record:
    """A record from a prompt and two columns with one response each, in the row's order."""
    values = [text(row, name) for name in names]
    return candidates({"prompt": prompt, "system": row.get("system")}, values)


def stack_exchange(row: Columns) -> Record:
    """stack-exchange-paired: `response_j` was voted above `response_k`."""
    names = ("response_j", "response_k")
    answers = [conversation(text(row, name), name, role="assistant") for name in names]
    return pair(conversation(text(row, "question"), "question", role="user"), answers, row, names)


def web_gpt(row: Columns) -> Record:
    """WebGPT comparisons as published: two answers with a score each, equal scores being ties."""
    question = required(row, "question")
    prompt = question if isinstance(question, str) else text(mapping(question, "question"), "full_text")
    scores = tuple(number(required(row, name), name) for name in ("score_0", "score_1"))
    record = two_columns(row, prompt, ("answer_0", "answer_1"))
    return replace(record, comparisons=tuple(by_value(scores)), ratings={"overall": scores})


def help_steer(row: Columns) -> Record:
    """HelpSteer 2 and 3 preferences: a whole number, below zero where the first response is better; 0 is a tie."""
    names = ("response1", "response2") if "response1" in row else ("response_1", "response_2")
    column = "overall_preference" if "overall_preference" in row else "preference_strength"
    strength = number(required(row, column), column)
    prompt = row["context"] if row.get("context") is not None else required(row, "prompt")
    return replace(two_columns(row, prompt, names), comparisons=tuple(by_value((-strength, 0.0))))


def arena(row: Columns) -> Record:
    """Chatbot-arena battles: two whole conversations and the winner, in the order the judge saw them."""
    conversations = [message_list(required(row, name), name) for name in ("conversation_a", "conversation_b")]
    if not all(conversations):
        raise RowError("empty_response", "a conversation has no turns; expected an answer; drop the row")
    prompt, both = split_common(conversations)
    generators = models(row, 2, ("model_a", "model_b"))
    found = tuple(response(turns, "conversation", generator=name) for turns, name in zip(both, generators, strict=True))
    if found[0].messages == found[1].messages:
        raise RowError("identical_responses", "both conversations are the same; expected two answers; drop the row")
    said = text(row, "winner")
    if said not in ARENA_WINNERS:
        raise RowError(
            "no_judgement", f"the winner is {said[:40]!r}; expected {', '.join(ARENA_WINNERS)}; drop the row"
        )
    winner = ARENA_WINNERS[said]
    judgement = Comparison(0, 1, 0.5) if winner is None else Comparison(winner, 1 - winner)
    return Record(with_system(prompt, row.get("system")), found, (judgement,))


def single(row: Columns) -> Record:
    """One prompt with one response, to be scored; `score` becomes its rating."""
    record = candidates({name: row.get(name) for name in ("prompt", "system")}, [required(row, "response")])
    score = optional_number(row, "score")
    return record if score is None else replace(record, ratings={"overall": (score,)})


def whole_conversation(row: Columns) -> Record:
    """One conversation in `messages`, to be scored: its last turn is the response."""
    turns = message_list(required(row, "messages"), "messages")
    return Record(with_system(turns[:-1], row.get("system")), (response(turns[-1:], "messages"),))


def has(*names: str) -> Callable[[Columns], bool]:
    """A test for rows that have all these columns."""
    return lambda row: all(name in row for name in names)


def is_help_steer(row: Columns) -> bool:
    """Whether a row has HelpSteer's columns."""
    return has("response1", "response2", "overall_preference")(row) or has(
        "response_1", "response_2", "preference_strength"
    )(row)


def columns(names: str) -> frozenset[str]:
    """Column names from a text."""
    return frozenset(names.split())


PAIR = "chosen rejected margin models chosen_model rejected_model score_chosen score_rejected system"
LISTED = "prompt responses models system"

# Order matters: a row belongs to the first format it fits.
FORMATS: dict[str, Format] = {
    "native": Format(
        "rewardsmith's own records", has("prompt", "responses", "comparisons"), native.from_row, native.COLUMNS
    ),
    "arena": Format(
        "arena battles: two conversations and a winner",
        has("conversation_a", "conversation_b", "winner"),
        arena,
        columns("conversation_a conversation_b winner model_a model_b models system"),
    ),
    "stack-exchange": Format(
        "pairs of answers to a question, response_j above response_k",
        has("question", "response_j", "response_k"),
        stack_exchange,
        columns(f"question response_j response_k {PAIR}") - {"chosen", "rejected"},
    ),
    "webgpt": Format(
        "two scored answers to a question",
        has("question", "answer_0", "answer_1", "score_0", "score_1"),
        web_gpt,
        columns("question answer_0 answer_1 score_0 score_1 system"),
    ),
    "helpsteer": Format(
        "two responses with the strength of a preference",
        is_help_steer,
        help_steer,
        columns(
            "prompt context response1 response2 response_1 response_2 overall_preference preference_strength system"
        ),
    ),
    "verdict": Format(
        "two responses with a judge's verdict, in the order shown",
        has("responses", "verdict"),
        judged,
        columns(f"{LISTED} verdict"),
    ),
    "responses": Format(
        "responses with scores, ranks, votes or a chosen one",
        has("responses"),
        listed,
        columns(f"{LISTED} scores ratings ranks ranking votes chosen rejected"),
    ),
    "dialogue": Format(
        "pairs of whole dialogues as 'Human: … Assistant: …' text, the prompt being what they share",
        lambda row: "prompt" not in row and is_dialogue(row.get("chosen")) and "rejected" in row,
        dialogue_pair,
        columns(PAIR),
    ),
    "pair": Format(
        "a prompt with a chosen and a rejected response",
        has("prompt", "chosen", "rejected"),
        explicit_pair,
        columns(f"prompt {PAIR}"),
    ),
    "implicit-pair": Format(
        "a chosen and a rejected conversation, the prompt being what they share",
        has("chosen", "rejected"),
        implicit_pair,
        columns(PAIR),
    ),
    "single": Format(
        "a prompt with one response, to be scored",
        has("prompt", "response"),
        single,
        columns("prompt response score system"),
    ),
    "conversation": Format(
        "whole conversations, to be scored", has("messages"), whole_conversation, columns("messages system")
    ),
}


def format_of(row: Columns) -> str | None:
    """The name of the first format that a row fits, or None."""
    return next((name for name, each in FORMATS.items() if each.fits(row)), None)


def adapt(name: str, row: Columns, *, source: str, line: int) -> Record:
    """The record of a row in the format `name`, with its other scalar columns as fields; RowError where it is refused.

    A native row keeps the origin that it tells.
    """
    chosen = FORMATS[name]
    refuse_unsupported(row, "the row")
    if row.get("tools"):
        raise RowError("tool_calls", "the row has tools; tool use is not supported yet; drop the row")
    try:
        record = chosen.adapt(row)
    except RowError:
        raise
    except DataError as error:
        raise RowError("invalid_record", str(error)) from None
    if name == "native":
        return record if record.source else record.at(source, line)
    return replace(record, fields=others(row, chosen.uses), source=source, line=line)
