"""A table of the quality page before its words are said in the language of the reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.language import Language, say
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.text import TEXTS

Cell = str | int | float | None
QualityFile = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page with its title, the heads of its columns, and a sentence above it, in English.

    A `folded` one appears when it is asked for.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False


def block_of(section: Section, number: int, lang: Language) -> PageBlock:
    """The section in the language of the page, numbers flush right."""
    numeric = {k for row in section.rows for k, cell in enumerate(row) if isinstance(cell, int | float)}
    table = CellTable(
        heads=tuple(say(head, lang) for head in section.heads),
        rows=[tuple(cell_text(cell, lang) for cell in row) for row in section.rows],
        numeric=tuple(sorted(numeric)),
    )
    return PageBlock(
        name=f"table-{number}",
        title=say(section.title, lang),
        lines=(say(section.note, lang),) if section.note else (),
        tables=(table,),
        folded=TEXTS[lang]["show_table"].format(rows=len(section.rows)) if section.folded else "",
    )


def cell_text(cell: Cell, lang: Language) -> str:
    """A cell as text: numbers with separators, nothing as nothing, messages in the language of the page."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return say(cell, lang)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.4g}"
