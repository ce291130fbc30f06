"""What differs between two responses: by word, in scripts without spaces by character."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

UNSPACED = "぀-ヿ㐀-䶿一-鿿豈-﫿"
"""Characters of Chinese and Japanese, which are compared one by one."""

TOKEN = re.compile(rf"(?:[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]|^)\s*")
"""A word, a character of an unspaced script or a mark, with the space behind it."""

EXACT_UP_TO = 1_500_000
"""Product of the tokens of both texts up to which every token counts; above, frequent ones are passed over."""

SHORTEST_COMMON = 3
"""Characters: a shorter passage in common between two changes counts as changed, since single letters tell nothing."""

LEAST_COMMON = 0.15
"""Share of the characters in common below which nothing is marked: everything differs."""


class Passage(NamedTuple):
    """A passage of a text, and whether the other text lacks it."""

    text: str
    changed: bool


class TextDifferences(NamedTuple):
    """Both texts in pieces, and whether they have enough in common for marks to mean anything."""

    first: tuple[Passage, ...]
    second: tuple[Passage, ...]
    marked: bool


def tokens_of(text: str) -> list[str]:
    """The text cut into tokens; joined, they are the text."""
    return [token for token in TOKEN.findall(text) if token]


def differences(first: str, second: str) -> TextDifferences:
    """Where two texts differ. White space counts for nothing; pieces joined give each text unchanged."""
    a, b = tokens_of(first), tokens_of(second)
    compared = [token.strip() for token in a], [token.strip() for token in b]
    matcher = SequenceMatcher(None, *compared, autojunk=len(a) * len(b) > EXACT_UP_TO)
    blocks = [block for block in matcher.get_matching_blocks() if block.size and is_long(a, block.a, block.size, b)]
    common = sum(len("".join(a[block.a : block.a + block.size]).strip()) for block in blocks)
    if common < LEAST_COMMON * max(len(first), len(second), 1):
        return TextDifferences((Passage(first, False),), (Passage(second, False),), False)
    return TextDifferences(
        pieces_of(a, [(block.a, block.size) for block in blocks]),
        pieces_of(b, [(block.b, block.size) for block in blocks]),
        True,
    )


def is_long(tokens: list[str], start: int, size: int, others: list[str]) -> bool:
    """Whether a passage in common is long enough to be shown as such; at the ends of short texts any is."""
    passage = "".join(tokens[start : start + size]).strip()
    return len(passage) >= SHORTEST_COMMON or size > 1 or min(len(tokens), len(others)) <= SHORTEST_COMMON


def pieces_of(tokens: list[str], blocks: list[tuple[int, int]]) -> tuple[Passage, ...]:
    """A text in pieces: what lies in a block is common, what lies between is changed."""
    pieces, at = [], 0
    for start, size in [*blocks, (len(tokens), 0)]:
        if start > at:
            pieces.append(Passage("".join(tokens[at:start]), True))
        if size:
            pieces.append(Passage("".join(tokens[start : start + size]), False))
        at = start + size
    return tuple(pieces)
