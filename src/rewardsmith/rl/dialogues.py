"""Texts as trainers hand them over → conversations."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.model.conversations import as_messages
from rewardsmith.records import Conversation, Turns

PROMPT_FIELDS = ("messages", "prompt", "question")
"""Where verl's data may carry the prompt, in the order in which they are looked for."""


def joined(prompt: Turns, completion: Turns) -> Conversation:
    """A prompt and its completion, each text or messages: text is the user's, and the assistant's."""
    return (*as_messages(prompt, role="user"), *as_messages(completion, role="assistant"))


def paired(prompts: Sequence[Turns], completions: Sequence[Turns]) -> list[Conversation]:
    """The conversations of a batch; DataError where the lists have different lengths."""
    if len(prompts) != len(completions):
        raise DataError(
            f"{len(prompts)} prompts and {len(completions)} completions; expected one completion for each prompt"
        )
    return [joined(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]


def prompt_of(extra_info: Any, field: str | None) -> Turns:
    """The prompt that verl's `extra_info` carries; DataError where it does not: a response alone has another reward."""
    info = extra_info if isinstance(extra_info, Mapping) else {}
    names = PROMPT_FIELDS if field is None else (field,)
    for name in names:
        if info.get(name) is not None:
            found: Turns = info[name] if isinstance(info[name], str) else list(info[name])
            return found
    raise DataError(
        f"extra_info has no {' or '.join(names)}; verl passes the response only, so add the prompt when the data is "
        "prepared: extra_info={'prompt': messages}"
    )


def rows_of(columns: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """A trainer's further columns as rows; what is not one value for each text is none."""
    lists = {
        name: values
        for name, values in columns.items()
        if isinstance(values, Sequence) and not isinstance(values, str | bytes) and len(values) == count
    }
    return [{name: values[at] for name, values in lists.items()} for at in range(count)]
