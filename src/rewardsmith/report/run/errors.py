"""The errors that the page shows: their texts, where the two responses differ, and how much is left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rewardsmith.diagnose.compared import Mistake
from rewardsmith.diagnose.facts import Facts
from rewardsmith.language import Language, say
from rewardsmith.report.blocks import ColouredPassage, coloured
from rewardsmith.report.run.differences import Passage, differences
from rewardsmith.report.run.evidence import Evidence

CHARACTERS_IN_ALL = 1_500_000
"""Characters of the texts of all errors together, so that the page stays below some megabytes."""

FEWEST_CHARACTERS, MOST_CHARACTERS = 1500, 20_000
"""Characters of one text that are shown at least, and at most; it is said how many more there are."""

ERRORS_ON_PAPER = 10
"""Errors that are printed; the page says how many more there are."""

FULL = 0.95
"""Share of the tokens of an error that add less to the reward than those in full colour."""

HEAD = 160
"""Characters of the prompt in the line of a closed error; the style cuts it to the width of the screen."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """An error as the page shows it; `marked` is False where the two responses have hardly a word in common.

    `tokens` are both responses coloured by what each token adds to the reward, `strongest` from where on with full colour.
    """

    mistake: Mistake
    head: str
    prompt: str
    preferred: tuple[Passage, ...]
    other: tuple[Passage, ...]
    marked: bool
    tokens: tuple[Sequence[ColouredPassage], ...] = ()
    strongest: float = 0.0


def characters_each(errors: int) -> int:
    """How many characters of one text are shown where there are so many errors of three texts each."""
    return min(MOST_CHARACTERS, max(FEWEST_CHARACTERS, CHARACTERS_IN_ALL // (3 * max(errors, 1))))


def clipped(text: str, texts: Mapping[str, str], most: int = FEWEST_CHARACTERS) -> str:
    """A text of at most `most` characters, followed by how much is left out."""
    if len(text) <= most:
        return text
    return text[:most] + texts["cut"].format(left=f"{len(text) - most:,}")


def error_rows(facts: Facts, texts: Mapping[str, str], tokens: Sequence[Mapping[str, Any]] = ()) -> list[ErrorRow]:
    """The worst errors, worst first; `tokens` are those of measurements.json."""
    worst = facts.compared.worst if facts.compared else ()
    most = characters_each(len(worst))
    sides = {(str(one.get("id")), one.get("i"), one.get("j")): one.get("sides") or () for one in tokens}
    return [error_row(mistake, texts, most, sides.get(mistake.key or ("", 0, 0), ())) for mistake in worst]


def error_row(
    mistake: Mistake, texts: Mapping[str, str], most: int, sides: Sequence[Mapping[str, Any]] = ()
) -> ErrorRow:
    """One error; the responses are compared as far as they are shown."""
    found = differences(mistake.preferred[:most], mistake.other[:most])
    strongest = strongest_of([abs(value) for side in sides for value in side["values"]])
    return ErrorRow(
        mistake=mistake,
        head=" ".join(mistake.prompt[: 2 * HEAD].split())[:HEAD],
        prompt=clipped(mistake.prompt, texts, most),
        preferred=with_rest(found.first, mistake.preferred, texts, most),
        other=with_rest(found.second, mistake.other, texts, most),
        marked=found.marked,
        tokens=tuple(list(token_passages(side, strongest)) for side in sides),
        strongest=strongest,
    )


def strongest_of(sizes: Sequence[float]) -> float:
    """The size that gets the full colour: one in twenty is above it, so that a last token alone leaves the others theirs."""
    return sorted(sizes)[int(FULL * (len(sizes) - 1))] if sizes else 0.0


def token_passages(side: Mapping[str, Any], strongest: float) -> Iterator[ColouredPassage]:
    """The tokens of a response, both responses on one scale; neighbours without a colour are one passage."""
    each = [
        coloured(text if text.strip() else text.replace("\n", "↵\n"), value, strongest)
        for text, value in zip(side["texts"], side["values"], strict=True)
    ]
    for level, group in groupby(each, key=lambda passage: passage.level):
        alike = list(group)
        yield from alike if level else [ColouredPassage("".join(passage.text for passage in alike))]


def about_tokens(evidence: Evidence, errors: Sequence[ErrorRow], texts: Mapping[str, str], lang: Language) -> str:
    """How many errors have a reward by token, or why none has."""
    shown = sum(bool(row.tokens) for row in errors)
    if shown:
        return texts["error_tokens"].format(shown=shown)
    if evidence.why_no_tokens:
        return texts["no_error_tokens"].format(why=say(evidence.why_no_tokens, lang))
    return texts["error_tokens_unmeasured"]


def with_rest(pieces: Sequence[Passage], text: str, texts: Mapping[str, str], most: int) -> tuple[Passage, ...]:
    """The pieces, and after them how much of the text is left out."""
    rest = clipped(text, texts, most)[min(len(text), most) :]
    return (*pieces, Passage(rest, False)) if rest else tuple(pieces)


def categories_of(rows: Sequence[ErrorRow]) -> list[str]:
    """The categories that occur among the errors shown, to choose from."""
    return sorted({row.mistake.category for row in rows if row.mistake.category})
