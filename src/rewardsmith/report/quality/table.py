"""A table of the quality page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None
QualityFile = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page with its title, the heads of its columns, and a sentence above it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
