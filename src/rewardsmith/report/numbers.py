"""Figures and intervals as a page writes them, and texts that are there in both languages."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.language import Language


def in_language(value: Any, lang: Language) -> str:
    """A text that audit.json holds in both languages, or in one."""
    return str(value.get(lang) or value.get("en") or "") if isinstance(value, Mapping) else str(value or "")


def number(value: Any, digits: int = 2, *, signed: bool = False) -> str:
    """A figure for a table, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def short(value: Any) -> str:
    """A figure that may be tiny, with two digits; a dash where there is none."""
    return "–" if value is None else f"{value:.2g}"


def span_of(ends: Any) -> tuple[float, float] | None:
    """Two ends of an interval, None where one is unknown."""
    return None if not ends or None in ends else (float(ends[0]), float(ends[1]))


def with_span(value: Any, ends: Any, digits: int = 2, *, signed: bool = False) -> str:
    """`+0.31 [+0.10, +0.52]`."""
    span = span_of(ends)
    text = number(value, digits, signed=signed)
    if span is None:
        return text
    return f"{text} [{number(span[0], digits, signed=signed)}, {number(span[1], digits, signed=signed)}]"
