"""Formats that name a preferred and a rejected answer."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from rewardsmith.data.formats.building import (
    CHOSEN_NAMES,
    REJECTED_NAMES,
    content_hash,
    first_of,
    has,
    named_prompt,
    pair,
    prompt_columns,
)
from rewardsmith.data.formats.dialogues import (
    conversation,
    dialogue,
    is_dialogue,
    message,
    message_list,
    response,
    split_common,
    with_system,
    without_prompt,
)
from rewardsmith.data.input.fields import Columns, as_list, as_text, items, required, text
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Comparison, Conversation, Message, Record, Response

CHOSEN_REJECTED = ("chosen", "rejected")


def answers_to(prompt: Conversation, row: Columns, names: Sequence[str]) -> list[Conversation]:
    """The answers in two columns, without the prompt where they repeat it."""
    both = [conversation(required(row, name), name, role="assistant") for name in names]
    return [without_prompt(turns, prompt, name) for turns, name in zip(both, names, strict=True)]


def explicit_pair(row: Columns) -> Record:
    """TRL's pairs with a prompt: each of prompt, chosen and rejected is text or a list of messages."""
    prompt = conversation(required(row, "prompt"), "prompt", role="user")
    return pair(prompt, answers_to(prompt, row, CHOSEN_REJECTED), row, CHOSEN_REJECTED)


def renamed_pair(row: Columns) -> Record:
    """The same under the names of OpenRLHF, LLaMA-Factory (Alpaca) and Argilla."""
    prompt = named_prompt(row)
    names = answer_columns(row)
    return pair(prompt, answers_to(prompt, row, names), row, names)


def answer_columns(row: Columns) -> tuple[str, str]:
    """Under which names a row has its preferred and its rejected answer."""
    chosen, rejected = first_of(row, CHOSEN_NAMES), first_of(row, REJECTED_NAMES)
    return chosen or CHOSEN_NAMES[0], rejected or REJECTED_NAMES[0]


def is_renamed_pair(row: Columns) -> bool:
    """Whether a row has a prompt, a chosen and a rejected answer under any of the known names."""
    return bool(prompt_columns(row) and first_of(row, CHOSEN_NAMES) and first_of(row, REJECTED_NAMES))


def renamed_columns(row: Columns) -> frozenset[str]:
    """The columns that `renamed_pair` reads in this row."""
    return prompt_columns(row) | frozenset(answer_columns(row))


def sharegpt_pair(row: Columns) -> Record:
    """LLaMA-Factory's ShareGPT pairs: `conversations` up to a user turn, and one message each for the two answers."""
    prompt = message_list(required(row, "conversations"), "conversations")
    if not prompt or prompt[-1].role != "user":
        raise RowError("prompt_conflict", "conversations does not end with a user turn; expected the prompt")
    both = [one_answer(required(row, name), name) for name in CHOSEN_REJECTED]
    return pair(prompt, both, row, CHOSEN_REJECTED)


def one_answer(value: Any, name: str) -> Conversation:
    """An answer given as one message, a list of messages, or text."""
    return (message(value, name),) if isinstance(value, dict) else conversation(value, name, role="assistant")


def implicit_pair(row: Columns) -> Record:
    """TRL's pairs without a prompt column: message lists share their first turns; plain texts have no prompt at all."""
    values = [required(row, name) for name in CHOSEN_REJECTED]
    if all(isinstance(value, str) for value in values):
        return pair((), [(Message("assistant", value),) for value in values], row, CHOSEN_REJECTED)
    return diverging([message_list(value, name) for value, name in zip(values, CHOSEN_REJECTED, strict=True)], row)


def diverging(conversations: Sequence[Conversation], row: Columns) -> Record:
    """A pair of whole conversations: the turns they share are the prompt."""
    if not all(conversations):
        raise RowError("empty_response", "the conversation has no turns; expected a response; drop the row")
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


def is_dialogue_pair(row: Columns) -> bool:
    """Whether a row is a pair of whole dialogues as text."""
    return "prompt" not in row and is_dialogue(row.get("chosen")) and "rejected" in row


def pair_lists(row: Columns) -> Record:
    """Several chosen and several rejected answers to one prompt: each chosen one beats each rejected one."""
    prompt = conversation(required(row, "prompt"), "prompt", role="user")
    lists = [items(row, name) for name in CHOSEN_REJECTED]
    chosen, rejected = (listed_answers(answers, name) for name, answers in zip(CHOSEN_REJECTED, lists, strict=True))
    if not chosen or not rejected:
        raise RowError("no_judgement", "chosen or rejected is an empty list; expected at least one response in each")
    if any(answer in rejected for answer in chosen):
        raise RowError("identical_responses", "a response is both chosen and rejected; expected only one of them")
    every = [*chosen, *rejected]
    order = sorted(range(len(every)), key=lambda at: (content_hash(every[at]), at))
    place = {at: rank for rank, at in enumerate(order)}
    return Record(
        with_system(prompt, row.get("system")),
        tuple(every[at] for at in order),
        tuple(Comparison(place[i], place[j]) for i, j in product(range(len(chosen)), range(len(chosen), len(every)))),
    )


def listed_answers(answers: Any, name: str) -> list[Response]:
    """The answers of a list of texts."""
    named = [(f"{name}[{at}]", answer) for at, answer in enumerate(as_list(answers, name))]
    return [response((Message("assistant", as_text(answer, at)),), at) for at, answer in named]


def is_pair_lists(row: Columns) -> bool:
    """Whether chosen and rejected are lists of texts; a list of messages is one answer."""
    return has("prompt", *CHOSEN_REJECTED)(row) and all(
        isinstance(row[name], list) and all(isinstance(answer, str) for answer in row[name]) for name in CHOSEN_REJECTED
    )


def stack_exchange(row: Columns) -> Record:
    """stack-exchange-paired: `response_j` was voted above `response_k`."""
    names = ("response_j", "response_k")
    answers = [conversation(text(row, name), name, role="assistant") for name in names]
    return pair(conversation(text(row, "question"), "question", role="user"), answers, row, names)


def same_question(row: Columns, record: Record) -> Any:
    """What the rows of one question share: its `qid` and its text."""
    qid = row.get("qid")
    return (qid, record.prompt) if isinstance(qid, (int, str)) else None
