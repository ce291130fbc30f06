"""What benchmarks and bias audits found, as the card shows it: figures, never a text of the data."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.language import Language
from rewardsmith.report.numbers import in_language, with_span
from rewardsmith.report.run.markdown import plain

SHOWN_EFFECTS = 10
"""Effects that the card names, the largest ones; it says how many there are."""


def effects_found(audit: Mapping[str, Any], lang: Language) -> list[dict[str, str]]:
    """The effects that an audit found, the largest first, with their intervals in standard deviations of the reward."""
    found = [one for one in audit.get("effects") or () if one.get("status") == "found"]
    found.sort(key=lambda one: -abs(one.get("effect_sd") or 0.0))
    return [
        {
            "title": plain(in_language(one.get("title"), lang) or str(one.get("name"))),
            "size": with_span(one.get("effect_sd"), one.get("ci"), signed=True),
            "n": f"{one.get('n') or 0:,}",
        }
        for one in found[:SHOWN_EFFECTS]
    ]


def audit_counts(audit: Mapping[str, Any]) -> dict[str, int]:
    """How many effects were found, excluded, and neither; empty where nothing was audited."""
    effects = audit.get("effects") or ()
    names = ("found", "excluded", "cannot_tell")
    return {name: sum(one.get("status") == name for one in effects) for name in names} if effects else {}


def benchmark_rows(evaluation: Mapping[str, Any]) -> list[dict[str, str]]:
    """The score on a public benchmark with its interval, where one was evaluated."""
    found = evaluation.get("benchmark")
    if not isinstance(found, Mapping) or found.get("score") is None:
        return []
    score, items = with_span(found["score"], found.get("ci"), 3), f"{found.get('items') or 0:,}"
    return [{"name": plain(str(found.get("name"))), "score": score, "items": items}]
