"""How wide a text is on a terminal, where Chinese characters take two columns (Unicode Standard Annex 11)."""

import unicodedata


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
