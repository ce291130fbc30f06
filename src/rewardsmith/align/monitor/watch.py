"""A run's signals against a threshold: whether, and when, there is an alarm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.align.monitor.evidence import NEEDS, HackingEvidence, evidence_from
from rewardsmith.align.monitor.signals import RunSignals
from rewardsmith.errors import DataError
from rewardsmith.files.reading import read_object

FITTED = Path(__file__).parent / "fitted.json"


@dataclass(frozen=True)
class Watched:
    """What the monitor makes of a run: the set of signals it used, the evidence at every step (log odds), the
    threshold, and the first step above it, None without an alarm."""

    kind: str
    steps: Sequence[int]
    evidence: Float[np.ndarray, " T"]
    threshold: float
    alarm: int | None


def watch(signals: RunSignals, threshold: float | None = None, kind: str | None = None) -> Watched:
    """Look at a run with the richest set of signals that it has (or `kind`), against the fitted threshold or this one."""
    kind = kind or kind_for(signals)
    model, fitted = fitted_evidence(kind)
    limit = fitted if threshold is None else threshold
    evidence = model(signals)
    above = np.flatnonzero(evidence > limit)
    return Watched(kind, signals.steps, evidence, limit, int(signals.steps[above[0]]) if above.size else None)


def kind_for(signals: RunSignals) -> str:
    """The richest set whose signals are all there."""
    return next(kind for kind, needs in NEEDS.items() if needs <= signals.names)


@cache
def fitted_evidence(kind: str) -> tuple[HackingEvidence, float]:
    """The weights and the threshold of a set, as the benchmark fitted them."""
    found = fitted_facts()["sets"][kind]
    return evidence_from(kind, found), float(found["threshold"])


@cache
def fitted_facts() -> dict[str, Any]:
    """What the benchmark wrote: weights, thresholds, and the rates that it measured on other runs."""
    return read_object(FITTED)


def conformal_threshold(highest: Sequence[float], false_alarms: float) -> float:
    """The ceil((n + 1)(1 - a))-th smallest of the highest evidence of n runs without hacking: another such run exceeds it
    with probability at most a, if it is exchangeable with them (split conformal, Vovk et al. 2005). DataError where n is
    too small for any threshold.
    """
    rank = math.ceil((len(highest) + 1) * (1 - false_alarms))
    if rank > len(highest):
        fewest = math.ceil(1 / false_alarms) - 1
        raise DataError(
            f"{len(highest)} reference logs are too few for false alarms in {false_alarms:.1%} of runs; "
            f"expected {fewest} or more"
        )
    return float(sorted(highest)[rank - 1])
