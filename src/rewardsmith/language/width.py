"""How wide a text is on a terminal, where Chinese characters take two columns (Unicode Standard Annex 11)."""

import re
import unicodedata
from itertools import pairwise

OPENING, CLOSING = frozenset("([{（［｛「『【《〈“‘"), frozenset(")]},.;:!?%）］｝」』】》〉”’，。；：！？、…％")
"""Signs that no line ends with, and signs that no line begins with (after the line-breaking rules of UAX 14)."""
REMARK = re.compile(r"(?<!\S)(\[[^\[\]]+\])(?!\S)")
"""A remark in square brackets between spaces, as `[default: 16]`."""


def display_width(text: str) -> int:
    """Columns that a text on one line takes; combining marks take none."""
    return len(text) if text.isascii() else sum(map(columns, text))


def columns(character: str) -> int:
    """0, 1 or 2."""
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int) -> str:
    """The text followed by spaces up to `width` columns; unchanged where it is wider."""
    return text + " " * max(0, width - display_width(text))


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns, ending in … where something was cut; no character is parted from its marks."""
    if display_width(text) <= width:
        return text
    used = 0
    for index, character in enumerate(text):
        used += columns(character)
        if used > width - 1:
            return text[:index] + "…"
    return text


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces and between Chinese characters only.

    A remark in square brackets stays on one line where it fits. A word that is wider than a line has a line of its own,
    unbroken: it can still be copied. White space is joined.
    """
    lines = [""]
    for gap, word in words_of(text, width):
        longer = lines[-1] + gap + word if lines[-1] else word
        if lines[-1] and display_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def words_of(text: str, width: int) -> list[tuple[str, str]]:
    """The pieces of a text that no line break may part, each with the gap before it: a space or nothing."""
    found: list[tuple[str, str]] = []
    for piece in REMARK.split(" ".join(text.split())):
        if REMARK.fullmatch(piece) and display_width(piece) <= width:
            found.append((" ", piece))
        else:
            for word in piece.split():
                add_word(found, word)
    return found


def add_word(found: list[tuple[str, str]], word: str) -> None:
    """Add a word between two spaces, in the parts that a line break may part."""
    if found and word[0] in CLOSING:  # a number and its per cent sign
        gap, before = found.pop()
        found.append((gap, f"{before} {word}"))
        return
    start, gap = 0, " "
    for place, (before, after) in enumerate(pairwise(word), start=1):
        if may_break(before, after):
            found.append((gap, word[start:place]))
            start, gap = place, ""
    found.append((gap, word[start:]))


def may_break(before: str, after: str) -> bool:
    """Whether a line may end between two neighbouring characters that no space parts."""
    if after in CLOSING or before in OPENING or columns(after) == 0:
        return False
    return 2 in (columns(before), columns(after))
