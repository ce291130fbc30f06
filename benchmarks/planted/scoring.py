"""Answers held against what was expected: was the fault named, the action right, was the model called ready?"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rewardsmith.evaluate.statistics import wilson

EXPECTED = tuple(Path(__file__).parent / name for name in ("expected.yaml", "invented.yaml"))
URGENT = ("critical", "warning")
READINESS = {"ready", "not_ready", "readiness_unknown"}
FIRST = 2
"""The fault has to be among so many findings, most important first."""


def expected() -> dict[str, dict[str, Any]]:
    """What is accepted for each kind, and under `confirmed_by` what confirms a warning on a sound project."""
    return {kind: row for path in EXPECTED for kind, row in yaml.safe_load(path.read_text(encoding="utf-8")).items()}


@dataclass(frozen=True)
class Score:
    """One answer about one faulty project."""

    kind: str
    found: bool
    right_action: bool
    wrongly_ready: bool
    first: tuple[str, ...]
    ready: bool | None
    next_action: str
    error: str | None


def urgent(said: Mapping[str, Any]) -> list[str]:
    """Ids of the findings that ask for something, in the order of the answer."""
    return [one["id"] for one in said.get("findings", ()) if one["severity"] in URGENT and one["id"] not in READINESS]


def score(kind: str, said: Mapping[str, Any], wanted: Mapping[str, Any]) -> Score:
    """The answer `said` about a fault of this kind, of which `wanted` is accepted."""
    ids = urgent(said)
    named = [one["id"] for one in said.get("findings", ())] if wanted.get("any_severity") else ids[:FIRST]
    advice = f"{said.get('next_action') or ''} {said.get('next_command') or ''}".lower()
    ready = said.get("ready")
    return Score(
        kind=kind,
        found=bool(set(named) & set(wanted["findings"])),
        right_action=any(word in advice for word in wanted["action"]),
        wrongly_ready=bool(wanted["stops"]) and ready is True,
        first=tuple(ids[:FIRST]),
        ready=ready,
        next_action=advice.strip(),
        error=str(said["error"]) if "error" in said else None,
    )


def share(hits: Sequence[bool], clusters: Sequence[str]) -> dict[str, Any]:
    """A share with a 95 % interval that treats the members of a cluster as related.

    The variance is that of the ratio estimator over clusters (Cochran, Sampling Techniques, 1977, eq. 6.13 without the
    correction for finite populations); Wilson's interval is taken at the sample size that would give it. Where all members
    agree the variance is not known, and the number of clusters takes the place of the sample size.
    """
    n, kinds = len(hits), sorted(set(clusters))
    if not n:
        return {"value": None, "hits": 0, "of": 0, "clusters": 0, "ci95": None}
    value = sum(hits) / n
    size = float(len(kinds))
    if 0 < value < 1 and len(kinds) > 1:
        residuals = (
            sum(hit - value for hit, cluster in zip(hits, clusters, strict=True) if cluster == kind) for kind in kinds
        )
        variance = len(kinds) / (len(kinds) - 1) * math.fsum(r * r for r in residuals) / n**2
        size = min(float(n), value * (1 - value) / variance) if variance else float(n)
    interval = wilson(value, size)
    return {
        "value": round(value, 4),
        "hits": sum(hits),
        "of": n,
        "clusters": len(kinds),
        "ci95": [round(interval.low, 4), round(interval.high, 4)],
    }


def summary(scores: Iterable[Score]) -> dict[str, Any]:
    """The shares that are asked for, over all counted projects."""
    scores = list(scores)
    kinds = [one.kind for one in scores]
    return {
        "found": share([one.found for one in scores], kinds),
        "right_action": share([one.right_action for one in scores], kinds),
        "wrongly_ready": share([one.wrongly_ready for one in scores], kinds),
    }
