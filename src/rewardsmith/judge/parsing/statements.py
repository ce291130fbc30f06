"""Where an answer states its verdict: behind a marker, in double brackets, or on a first or last line of its own.

Everything is read after `plain`: full-width characters as ordinary ones, without the marks of Markdown's emphasis.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

MARKERS = (
    "score|rating|points|verdict|winner|answer|ranking|grade|"
    "评分|得分|分数|打分|总分|结论|判断|裁决|胜者|答案|排名|排序|评级"
)
BRACKETED = re.compile(r"\[\[([^\[\]\n]{1,200})\]\]")
MARKED = re.compile(
    rf"(?<![A-Za-z])(?:{MARKERS})[ \t]*(?:\([^()\n]{{0,40}}\))?[ \t]*(?:[:=]|(?:is|为|是)(?![A-Za-z])[ \t]*:?)"
    rf"[ \t]*\n{{0,2}}[ \t]*(?=([^\n]{{0,200}}))",
    re.IGNORECASE,
)
EMPHASIS = re.compile(r"\*\*|__|`|(?<![\w*])\*(?=[\w\[])|(?<=[\w\]])\*(?![\w*])")
LIMIT = 20_000
"""Characters at either end of an answer that are read."""


class Statement(NamedTuple):
    """A text that should be the verdict; `marked` unless it is a line that is nothing else."""

    text: str
    marked: bool


def plain(text: str) -> str:
    """The text in ordinary characters (Unicode NFKC), without emphasis; of a very long one its two ends."""
    if len(text) > 2 * LIMIT:
        text = f"{text[:LIMIT]}\n…\n{text[-LIMIT:]}"
    return EMPHASIS.sub("", unicodedata.normalize("NFKC", text).replace("\r", "\n"))


def statements(text: str) -> Iterator[Statement]:
    """All places of a `plain` text that state something, in order; the first and the last line only where no marker is."""
    marked = [*BRACKETED.finditer(text), *MARKED.finditer(BRACKETED.sub(" ", text))]
    if marked:
        yield from (Statement(match[1].strip(), True) for match in marked)
        return
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    yield from (Statement(line, False) for line in dict.fromkeys((*lines[:1], *lines[-1:])))
