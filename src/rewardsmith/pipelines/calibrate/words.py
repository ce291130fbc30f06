"""A calibration and its effect in lines for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rewardsmith.language import padded, say

FIGURES = (
    ("accuracy", "accuracy"),
    ("nll", "NLL"),
    ("ece", "ECE"),
)
OF_LENGTH = (
    ("length_correlation", "correlation of reward and length"),
    ("longer_wins", "longer response has the higher reward"),
)
"""Figures that only a calibration by length moves; pooled over folds, other temperatures would seem to move them too."""
WIDTH = 38


def figure_lines(effect: Mapping[str, Any], methods: Sequence[str]) -> Iterator[str]:
    """A table of the figures before and after a calibration of these methods."""
    by_length = "length" in methods
    heads = (padded(say("before"), 9), padded(say("after"), 9), say("difference [95 % interval]"))
    yield f"{'':{WIDTH}} {' '.join(heads)}"
    for name, label in (*FIGURES, *(OF_LENGTH if by_length else ())):
        found = effect[name]
        if found["before"] is not None and found["after"] is not None:
            yield f"{padded(say(label), WIDTH)} {found['before']:<9.4f} {found['after']:<9.4f} {change(found)}"
    if by_length and (preferred := effect.get("longer_preferred")) is not None:
        yield f"the labels prefer the longer response in {preferred:.1%} of the comparisons"
    if effect["outside"]:
        yield f"{effect['outside']} responses are outside the lengths that the curve was fitted on, where it is constant"


def change(found: Mapping[str, Any]) -> str:
    """The difference with its interval, where it has one."""
    ends: Sequence[float | None] = found["ci"] or ()
    interval = f" [{ends[0]:+.4f}, {ends[1]:+.4f}]" if all(end is not None for end in ends) and ends else ""
    return f"{found['difference']:+.4f}{interval}"


def judged_lines(summary: Mapping[str, Any]) -> list[str]:
    """What `evaluate --calibrated` adds; nothing without it."""
    found = summary.get("calibrated")
    if not found:
        return []
    methods = ", ".join(say(name) for name in found["methods"])
    lines = [
        f"raw rewards and calibrated ones ({methods}; fitted on {say(found['fitted_on'])}):",
        *figure_lines(found, found["methods"]),
    ]
    if found["fitted_on_these"]:
        lines.append("the calibration was fitted on these data, so the figures after it are too optimistic")
    return lines
