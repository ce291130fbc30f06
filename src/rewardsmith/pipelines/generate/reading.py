"""Rows → prompts: those that await an answer, and the prompts of rows that have answers already."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.data.formats.building import named_prompt, prompt_columns
from rewardsmith.data.formats.dialogues import message_list, with_system
from rewardsmith.data.formats.unjudged import CONVERSATIONS
from rewardsmith.data.input.renaming import Rename, rename
from rewardsmith.data.input.rows import RowError
from rewardsmith.data.loading.load import iterate_rows
from rewardsmith.data.loading.understanding import Read
from rewardsmith.errors import DataError
from rewardsmith.records import EMPTY, Conversation, Document, Message, Quarantined, Record

OWN = ("finish_reasons", "completion_tokens", "logprobs", "unanswered", "failed")
"""The fields that a row gets beside its responses."""


@dataclass(frozen=True)
class PromptRow:
    """A row that can be answered: its conversation, its other columns, and where it stands."""

    turns: Conversation
    fields: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    source: str = ""
    line: int = 0


def read_prompts(
    source: str, *, columns: tuple[Rename, ...], system: str | None, note: Callable[[str], None]
) -> Iterator[PromptRow | Quarantined]:
    """Every row of a source, in order, as a prompt or with the reason why it is none.

    Of a row that has responses only the prompt and its scalar columns are taken; `note` gets a sentence about the first.
    """
    told = False
    for read in iterate_rows(source, columns=columns):
        try:
            prompt = prompt_of(read, columns)
            if isinstance(prompt, PromptRow):
                prompt = checked(prompt, system)
        except RowError as error:
            file, line = place_of(read)
            prompt = Quarantined(file, line, error.code, str(error), str(read.row)[:200])
        if isinstance(read.item, Record) and not told:
            told = True
            note(
                f"{read.item.place}: the row has responses; only its prompt is used, from this row on where others have too"
            )
        yield prompt


def prompt_of(read: Read, columns: tuple[Rename, ...]) -> PromptRow | Quarantined:
    """The prompt of a row; RowError where it has columns of a prompt that are none."""
    item = read.item
    if isinstance(item, Record):
        return PromptRow(item.prompt, item.fields, item.source, item.line)
    if isinstance(item, Document):
        return PromptRow((Message("user", item.text),), EMPTY, item.source, item.line)
    if read.row is None:
        return item
    row = rename(dict(read.row), columns)
    turns, used = spoken_prompt(row)
    turns = with_system(turns, row.get("system"))
    others = {name: value for name, value in row.items() if name not in used | {"system"} and value is not None}
    return PromptRow(turns, others, item.file, item.line)


def spoken_prompt(row: Mapping[str, Any]) -> tuple[Conversation, frozenset[str]]:
    """The prompt of a row without responses, and the columns that it was read from."""
    for name in CONVERSATIONS:
        if row.get(name) is not None:
            return message_list(row[name], name), frozenset({name})
    return named_prompt(row), prompt_columns(row)


def checked(prompt: PromptRow, system: str | None) -> PromptRow:
    """The prompt with the system turn of the settings where it has none; RowError where nobody could answer it."""
    turns = prompt.turns
    if not any(turn.content.strip() for turn in turns if turn.role == "user"):
        raise RowError(
            "empty_prompt", "the prompt has no user turn with text; expected a question or an instruction; drop the row"
        )
    if turns[-1].role == "assistant":
        raise RowError("no_question", "the prompt ends with an assistant turn; expected a user turn; drop the row")
    taken = [name for name in OWN if name in prompt.fields]
    if taken:
        raise DataError(
            f"{prompt.source}:{prompt.line} already has a column {taken[0]!r}, which generate writes; rename it in the input"
        )
    if system is not None and turns[0].role != "system":
        turns = (Message("system", system), *turns)
    return PromptRow(turns, prompt.fields, prompt.source, prompt.line)


def place_of(read: Read) -> tuple[str, int]:
    """File and line of a row."""
    item = read.item
    return (item.file if isinstance(item, Quarantined) else item.source), item.line
