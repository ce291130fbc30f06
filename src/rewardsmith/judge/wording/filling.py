"""Texts in the place of `{names}`, in one pass: what a response says is never taken for a placeholder."""

import re
from collections.abc import Mapping

from rewardsmith.errors import UsageError

PLACE = re.compile(r"\{\{|\}\}|\{(\w*)\}|[{}]")


def names_in(text: str, place: str) -> frozenset[str]:
    """The placeholders of a text; UsageError for a single brace (`{{` and `}}` are written as braces)."""
    found = set()
    for match in PLACE.finditer(text):
        if match[0] in ("{{", "}}"):
            continue
        if not match[1]:
            raise UsageError(f"{place}: single {match[0]!r} in the prompt; write braces of the text twice")
        found.add(match[1])
    return frozenset(found)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced; a KeyError is a bug, since `names_in` has been compared before."""

    def written(match: re.Match[str]) -> str:
        return match[0][0] if match[0] in ("{{", "}}") else values[match[1]]

    return PLACE.sub(written, text)
