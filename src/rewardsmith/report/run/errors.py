"""The errors that the page shows: their texts, where the two responses differ, and how much is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rewardsmith.diagnose.compared import Mistake
from rewardsmith.diagnose.facts import Facts
from rewardsmith.report.run.differences import Passage, differences

CHARACTERS_IN_ALL = 1_500_000
"""Characters of the texts of all errors together, so that the page stays below some megabytes."""

FEWEST_CHARACTERS, MOST_CHARACTERS = 1500, 20_000
"""Characters of one text that are shown at least, and at most; it is said how many more there are."""

ERRORS_ON_PAPER = 10
"""Errors that are printed; the page says how many more there are."""

HEAD = 160
"""Characters of the prompt in the line of a closed error; the style cuts it to the width of the screen."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """An error as the page shows it; `marked` is False where the two responses have hardly a word in common."""

    mistake: Mistake
    head: str
    prompt: str
    preferred: tuple[Passage, ...]
    other: tuple[Passage, ...]
    marked: bool


def characters_each(errors: int) -> int:
    """How many characters of one text are shown where there are so many errors of three texts each."""
    return min(MOST_CHARACTERS, max(FEWEST_CHARACTERS, CHARACTERS_IN_ALL // (3 * max(errors, 1))))


def clipped(text: str, texts: Mapping[str, str], most: int = FEWEST_CHARACTERS) -> str:
    """A text of at most `most` characters, followed by how much is left out."""
    if len(text) <= most:
        return text
    return text[:most] + texts["cut"].format(left=f"{len(text) - most:,}")


def error_rows(facts: Facts, texts: Mapping[str, str]) -> list[ErrorRow]:
    """The worst errors, worst first."""
    worst = facts.compared.worst if facts.compared else ()
    most = characters_each(len(worst))
    return [error_row(mistake, texts, most) for mistake in worst]


def error_row(mistake: Mistake, texts: Mapping[str, str], most: int) -> ErrorRow:
    """One error; the responses are compared as far as they are shown."""
    found = differences(mistake.preferred[:most], mistake.other[:most])
    return ErrorRow(
        mistake=mistake,
        head=" ".join(mistake.prompt[: 2 * HEAD].split())[:HEAD],
        prompt=clipped(mistake.prompt, texts, most),
        preferred=with_rest(found.first, mistake.preferred, texts, most),
        other=with_rest(found.second, mistake.other, texts, most),
        marked=found.marked,
    )


def with_rest(pieces: Sequence[Passage], text: str, texts: Mapping[str, str], most: int) -> tuple[Passage, ...]:
    """The pieces, and after them how much of the text is left out."""
    rest = clipped(text, texts, most)[min(len(text), most) :]
    return (*pieces, Passage(rest, False)) if rest else tuple(pieces)


def categories_of(rows: Sequence[ErrorRow]) -> list[str]:
    """The categories that occur among the errors shown, to choose from."""
    return sorted({row.mistake.category for row in rows if row.mistake.category})
