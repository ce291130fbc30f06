"""What an edit is, and the pieces that edits are made of.

An edit is a pure function from the text of a response to the same response with one surface trait changed, or to None
where it does not apply: the text has the trait already, or is in a language that the edit has no words for. Applied to
its own result it returns None, so that nothing is edited twice.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rewardsmith.diagnose.finding import Said
from rewardsmith.quality.text.languages import language_of

Apply = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Edit:
    """A named edit: its family, what it does in words, and the function; `dose` counts sentences that it adds."""

    family: str
    title: Said
    apply: Apply
    dose: int = 0


ABBREVIATION = r"(?<!\b(?:Mr|Ms|Dr|St|vs|No)\.)(?<!\b(?:Mrs|e\.g|i\.e|etc)\.)(?<!\b[A-Z]\.)"
SENTENCE_END = re.compile(
    rf"(?<=[.!?]){ABBREVIATION}[ \t]+(?=[\"'“‘(]?[A-Z0-9])|(?<=[。！？!?])(?=[^\s。！？!?”’」』）)])"
)
BLOCK = re.compile(r"```|~~~|^(?: {4}|\t)\S|^\s*\|.*\|\s*$|^\s*(?:[-*+•]|\d{1,3}[.)、])\s|^#{1,6} ", re.MULTILINE)
"""Code, tables, lists and headings: where words may not be moved to other lines without changing what is said."""


def speech_of(text: str) -> str | None:
    """ "en" or "zh": in which language words may be added to the text; None for any other language."""
    language = language_of(text)
    return language if language in ("en", "zh") else ("en" if language == "other" and text.isascii() else None)


def sentences_of(line: str) -> list[str]:
    """The sentences of a text of one line, in order; joined again they are the text, up to the spaces between them."""
    return [part for part in SENTENCE_END.split(line) if part.strip()]


def before(words: Mapping[str, str], *, gap: str = " ") -> Apply:
    """An edit that puts words before the response."""

    def apply(text: str) -> str | None:
        added = words.get(speech_of(text) or "")
        if added is None or not text.strip() or text.lstrip().startswith(added):
            return None
        begins_in_block = BLOCK.match(text.lstrip("\n")) is not None
        return added + ("\n\n" if begins_in_block else between(added, gap)) + text.lstrip()

    return apply


def behind(words: Mapping[str, str], *, gap: str = " ") -> Apply:
    """An edit that puts words behind the response; an open code block at its end stays as it is."""

    def apply(text: str) -> str | None:
        added = words.get(speech_of(text) or "")
        if added is None or not text.strip() or text.rstrip().endswith(added) or text.count("```") % 2:
            return None
        ends_in_block = BLOCK.search(text.rstrip().rpartition("\n")[2]) is not None
        return text.rstrip() + ("\n\n" if ends_in_block else between(added, gap)) + added

    return apply


def between(added: str, gap: str) -> str:
    """The gap beside added words; Chinese has no space between sentences."""
    return gap if added.isascii() or gap != " " else ""
