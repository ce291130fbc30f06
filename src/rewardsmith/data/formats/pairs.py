"""Formats that name a preferred and a rejected answer."""

from collections.abc import Sequence
from typing import Any

from rewardsmith.data.formats.building import (
    CHOSEN_NAMES,
    NONE,
    PROMPT_NAMES,
    REJECTED_NAMES,
    first_of,
    has,
    marks_of,
    named_prompt,
    ordered,
    pair,
    prompt_columns,
)
from rewardsmith.data.formats.dialogues import (
    answers_to,
    conversation,
    dialogue,
    is_dialogue,
    message_list,
    response,
    split_common,
    with_system,
)
from rewardsmith.data.formats.written import inside, parsed, speaker_of
from rewardsmith.data.input.fields import Columns, as_list, as_text, items, required, text
from rewardsmith.data.input.rows import RowError
from rewardsmith.records import Conversation, Message, Record, Response

CHOSEN_REJECTED = ("chosen", "rejected")
CONVERSATIONS = ("conversations", "messages", "conversation")
SWIFT_REJECTED = ("rejected_messages", "rejected_response")
TORCHTUNE = ("chosen_conversations", "rejected_conversations")
OUTPUTS = ("output[0]", "output[1]")


def pair_after(prompt: Conversation, row: Columns, names: Sequence[str]) -> Record:
    """A pair of the answers in two columns, without the prompt where they repeat it."""
    both = [conversation(required(row, name), name, role="assistant") for name in names]
    prompt, both = answers_to(prompt, both, names)
    return pair(prompt, both, row, names)


def explicit_pair(row: Columns) -> Record:
    """TRL's pairs with a prompt: each of prompt, chosen and rejected is text or a list of messages."""
    return pair_after(conversation(required(row, "prompt"), "prompt", role="user"), row, CHOSEN_REJECTED)


def renamed_pair(row: Columns) -> Record:
    """The same under the names of OpenRLHF, LLaMA-Factory (Alpaca), Argilla, distilabel and ms-swift's queries."""
    return pair_after(named_prompt(row), row, answer_columns(row))


def answer_columns(row: Columns) -> tuple[str, str]:
    """Under which names a row has its preferred and its rejected answer."""
    chosen, rejected = first_of(row, CHOSEN_NAMES), first_of(row, REJECTED_NAMES)
    return chosen or CHOSEN_NAMES[0], rejected or REJECTED_NAMES[0]


def is_renamed_pair(row: Columns) -> frozenset[str]:
    """The columns of a row that has a prompt, a chosen and a rejected answer under any of the known names."""
    names = [first_of(row, each) for each in (PROMPT_NAMES, CHOSEN_NAMES, REJECTED_NAMES)]
    return marks_of(*names)


def renamed_columns(row: Columns) -> frozenset[str]:
    """The columns that `renamed_pair` reads in this row."""
    return prompt_columns(row) | frozenset(answer_columns(row))


def sharegpt_pair(row: Columns) -> Record:
    """LLaMA-Factory's ShareGPT pairs: `conversations` (or `messages`) up to a user turn, and two answers to it."""
    name = first_of(row, CONVERSATIONS) or CONVERSATIONS[0]
    prompt = message_list(required(row, name), name)
    if not prompt or prompt[-1].role != "user":
        raise RowError("prompt_conflict", f"{name} does not end with a user turn; expected the prompt")
    return pair_after(prompt, row, CHOSEN_REJECTED)


def is_sharegpt_pair(row: Columns) -> frozenset[str]:
    """The columns of a row with a conversation and two answers that are no conversations of their own."""
    name = first_of(row, CONVERSATIONS)
    if name == "messages" and any(opens_a_conversation(row.get(each)) for each in CHOSEN_REJECTED):
        return NONE
    return marks_of(name, *(first_of(row, (each,)) for each in CHOSEN_REJECTED))


def opens_a_conversation(value: Any) -> bool:
    """Whether a value is a list of messages that begins with another turn than an answer."""
    try:
        value = inside(parsed(value, "messages"))
    except RowError:
        return False
    first = value[0] if isinstance(value, list) and value else None
    return speaker_of(first) not in (None, "assistant", "gpt")


def swift_pair(row: Columns) -> Record:
    """ms-swift's pairs: `messages` ends with the preferred answer, and what comes after its last user turn is replaced by
    `rejected_response`, or the whole conversation by `rejected_messages`.
    """
    name = first_of(row, CONVERSATIONS) or CONVERSATIONS[0]
    turns = message_list(required(row, name), name)
    other = first_of(row, SWIFT_REJECTED) or SWIFT_REJECTED[0]
    value = required(row, other)
    if other == "rejected_messages":
        return diverging([turns, message_list(value, other)], row, (name, other))
    asked = max((at for at, turn in enumerate(turns) if turn.role != "assistant"), default=-1) + 1
    prompt, answers = turns[:asked], [turns[asked:], conversation(value, other, role="assistant")]
    if not answers[0]:
        raise RowError(
            "no_answer", f"{name} ends with a {turns[-1].role if turns else 'missing'} turn; expected a response"
        )
    prompt, answers = answers_to(prompt, answers, (name, other))
    return pair(prompt, answers, row, (name, other))


def is_swift_pair(row: Columns) -> frozenset[str]:
    """The columns of a row with a conversation and what else might have been said at its end."""
    return marks_of(first_of(row, CONVERSATIONS), first_of(row, SWIFT_REJECTED))


def swift_columns(row: Columns) -> frozenset[str]:
    """The columns that `swift_pair` reads in this row."""
    return frozenset(filter(None, (first_of(row, CONVERSATIONS), first_of(row, SWIFT_REJECTED))))


def conversation_columns(row: Columns) -> frozenset[str]:
    """The column that `sharegpt_pair` reads the prompt from."""
    return frozenset(filter(None, [first_of(row, CONVERSATIONS)]))


def output_pair(row: Columns) -> Record:
    """Alpaca rows whose `output` is a list of two answers, the better one first (older data of LLaMA-Factory)."""
    answers = items(row, "output")
    if len(answers) != 2:
        raise RowError("wrong_length", f"output has {len(answers)} responses; expected two, the better one first")
    return pair_after(named_prompt(row), {**row, OUTPUTS[0]: answers[0], OUTPUTS[1]: answers[1]}, OUTPUTS)


def is_output_pair(row: Columns) -> frozenset[str]:
    """The columns of a row with a prompt and a list of answers as its output."""
    return marks_of(first_of(row, PROMPT_NAMES), "output") if isinstance(row.get("output"), list) else NONE


def implicit_pair(row: Columns) -> Record:
    """TRL's pairs without a prompt column: message lists share their first turns; plain texts have no prompt at all."""
    return implied(row, CHOSEN_REJECTED)


def torchtune_pair(row: Columns) -> Record:
    """torchtune's example of local preference data: the same under its names."""
    return implied(row, TORCHTUNE)


def implied(row: Columns, names: Sequence[str]) -> Record:
    """A pair from two columns that hold whole conversations, or texts without a prompt."""
    values = [parsed(required(row, name), name) for name in names]
    if all(isinstance(value, str) for value in values):
        return pair((), [(Message("assistant", value),) for value in values], row, names)
    return diverging([message_list(value, name) for value, name in zip(values, names, strict=True)], row, names)


def diverging(conversations: Sequence[Conversation], row: Columns, names: Sequence[str] = CHOSEN_REJECTED) -> Record:
    """A pair of whole conversations: the turns they share are the prompt."""
    if not all(conversations):
        raise RowError("empty_response", "the conversation has no turns; expected a response; drop the row")
    prompt, both = split_common(conversations)
    return pair(prompt, both, row, names)


def dialogue_pair(row: Columns) -> Record:
    """Anthropic HH: two whole dialogues as `Human: … Assistant: …` text that share their first turns."""
    found = []
    for name in CHOSEN_REJECTED:
        value = text(row, name)
        if not is_dialogue(value):
            raise RowError("not_a_dialogue", f"{name} does not begin with 'Human:' or 'Assistant:' as in other rows")
        found.append(dialogue(value))
    return diverging(found, row)


def is_dialogue_pair(row: Columns) -> frozenset[str]:
    """The columns of a pair of whole dialogues as text."""
    return has(*CHOSEN_REJECTED)(row) if row.get("prompt") is None and is_dialogue(row.get("chosen")) else NONE


def pair_lists(row: Columns) -> Record:
    """Several chosen and several rejected answers to one prompt: each chosen one beats each rejected one."""
    chosen, rejected = (listed_answers(items(row, name), name) for name in CHOSEN_REJECTED)
    return ordered(with_system(named_prompt(row), row.get("system")), chosen, rejected)


def listed_answers(answers: Any, name: str) -> list[Response]:
    """The answers of a list of texts."""
    named = [(f"{name}[{at}]", answer) for at, answer in enumerate(as_list(answers, name))]
    return [response((Message("assistant", as_text(answer, at)),), at) for at, answer in named]


def is_pair_lists(row: Columns) -> frozenset[str]:
    """The columns of a row whose chosen and rejected answers are lists of texts; a list of messages is one answer."""
    marks = marks_of(first_of(row, PROMPT_NAMES), *(first_of(row, (name,)) for name in CHOSEN_REJECTED))
    return marks if marks and all(is_list_of_texts(row[name]) for name in CHOSEN_REJECTED) else NONE


def is_list_of_texts(value: Any) -> bool:
    """Whether a value is a list that holds nothing but texts."""
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def stack_exchange(row: Columns) -> Record:
    """stack-exchange-paired: `response_j` was voted above `response_k`."""
    names = ("response_j", "response_k")
    answers = [conversation(text(row, name), name, role="assistant") for name in names]
    return pair(conversation(text(row, "question"), "question", role="user"), answers, row, names)


def same_question(row: Columns, record: Record) -> Any:
    """What the rows of one question share: its `qid` and its text."""
    qid = row.get("qid")
    return (qid, record.prompt) if isinstance(qid, (int, str)) else None
