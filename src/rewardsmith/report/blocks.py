"""A section of a page in parts that every page can show: sentences, charts, tables, examples, coloured texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.report.charts.plot import Plot


@dataclass(frozen=True, slots=True)
class CellTable:
    """Heads and rows of texts ready to read; columns named by number in `numeric` are set flush right."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: tuple[int, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class FoldedTexts:
    """Texts that are shown when they are asked for, under a title."""

    title: str
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class ColouredPassage:
    """A passage with a level of colour, -3 (lowers the reward most) to 3, and what its value is in words."""

    text: str
    level: int = 0
    said: str = ""


LEVELS = 3
"""Steps of colour on each side of zero."""


def coloured(text: str, value: float, most: float) -> ColouredPassage:
    """A passage that adds `value` to the reward; from `most` on, to either side, the colour is the strongest."""
    level = round(LEVELS * max(-1.0, min(value / most, 1.0))) if most else 0
    return ColouredPassage(text, level, f"{value:+.3g}")


@dataclass(frozen=True, slots=True)
class TokenView:
    """A text coloured by what each passage contributes to the reward."""

    title: str
    pieces: Sequence[ColouredPassage]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PageBlock:
    """A section: `name` is its anchor; what is empty does not appear.

    Where `folded` says what they are, the tables appear when they are asked for.
    """

    name: str
    title: str
    lines: Sequence[str] = ()
    plots: Sequence[Plot] = ()
    tables: Sequence[CellTable] = ()
    examples: Sequence[FoldedTexts] = ()
    views: Sequence[TokenView] = ()
    remarks: Sequence[str] = ()
    folded: str = ""
