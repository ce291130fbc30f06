"""Chosen responses → rows: in our own format, as messages for SFT, and with labels for KTO."""

from collections.abc import Iterator, Sequence
from typing import Any

from rewardsmith.data.formats.native import message_row, to_row
from rewardsmith.pipelines.best_of_n.selection import PromptCandidates, undesirable_of
from rewardsmith.records import Conversation, Record

PromptChoice = tuple[PromptCandidates, Sequence[int]]


def chosen_rows(choices: Sequence[PromptChoice]) -> Iterator[dict[str, Any]]:
    """A row per prompt with its chosen responses, the best first.

    Beside the prompt's own fields that are no lists (those may have an entry per response), `fields.best_of_n` has the
    rewards of the chosen ones and how many candidates there were.
    """
    for one, chosen in choices:
        if not chosen:
            continue
        source, _, line = one.place.rpartition(":")
        told = {"rewards": [float(one.rewards[k]) for k in chosen], "candidates": len(one.responses)}
        fields = {
            **{name: value for name, value in one.fields.items() if not isinstance(value, list)},
            "best_of_n": told,
        }
        responses = tuple(one.responses[k] for k in chosen)
        yield to_row(Record(one.prompt, responses, fields=fields, source=source, line=int(line)))


def sft_rows(choices: Sequence[PromptChoice]) -> Iterator[dict[str, Any]]:
    """A row per chosen response: `messages`, the whole conversation, and its `reward`."""
    for one, chosen in choices:
        for k in chosen:
            yield {"messages": turns(one.prompt + one.responses[k].messages), "reward": float(one.rewards[k])}


def kto_rows(choices: Sequence[PromptChoice]) -> Iterator[dict[str, Any]]:
    """A row per response with a label (`prompt`, `completion`, `label`, and its `reward`): true for the chosen ones, false
    for as many of the lowest."""
    for one, chosen in choices:
        for label, indices in ((True, chosen), (False, undesirable_of(one.rewards, chosen))):
            for k in indices:
                yield {
                    "prompt": turns(one.prompt),
                    "completion": turns(one.responses[k].messages),
                    "label": label,
                    "reward": float(one.rewards[k]),
                }


def turns(conversation: Conversation) -> list[dict[str, str]]:
    """Messages as objects."""
    return [message_row(message) for message in conversation]
