"""A model's reasoning apart from its answer, however it is written: emitted, begun by the template, closed or not.

The tags are those of DeepSeek-R1, QwQ and Qwen3 (`<think>`), and of Magistral (`[THINK]`). A template may write the opening
one itself, so that the generated text has the closing one only, or none where the model was stopped before.
"""

from typing import NamedTuple

TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))


class Thoughts(NamedTuple):
    """The answer, and the reasoning before it; `closed` is False where the text ends within the reasoning."""

    text: str
    reasoning: str | None
    closed: bool = True


def opened_by(prompt: str) -> str | None:
    """The closing tag that is awaited behind a rendered prompt which ends with an opening one; None for any other."""
    end = prompt.rstrip()
    return next((closing for opening, closing in TAGS if end.endswith(opening)), None)


def apart(text: str, awaited: str | None = None) -> Thoughts:
    """Split a generated text; `awaited` is the closing tag of reasoning that the prompt has begun (`opened_by`).

    A closing tag without an opening one closes reasoning that some template began. Tags further on are part of the answer.
    """
    if awaited is not None:
        return split(text, awaited)
    begun = text.lstrip()
    for opening, closing in TAGS:
        if begun.startswith(opening):
            return split(begun[len(opening) :], closing)
        if closing in text and opening not in text[: text.index(closing)]:
            return split(text, closing)
    return Thoughts(text, None)


def split(text: str, closing: str) -> Thoughts:
    """Reasoning up to the closing tag, all of the text where there is none; None where it is only white space."""
    reasoning, found, answer = text.partition(closing)
    kept = reasoning.strip("\n")
    return Thoughts(answer.lstrip("\n") if found else "", kept if kept.strip() else None, bool(found))
