"""Facts out of JSON objects that other stages wrote: checked, never coerced."""

import math
from collections.abc import Mapping
from typing import Any

from rewardsmith.diagnose.facts import (
    AuditEffect,
    BaselineFacts,
    CeilingFacts,
    CurvePoint,
    GroupFacts,
    MoreData,
    ReliabilityFacts,
)
from rewardsmith.diagnose.finding import Said
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import figures_from
from rewardsmith.diagnose.values import count, interval, mapping, number, share
from rewardsmith.errors import DataError
from rewardsmith.evaluate.rankings import FEWEST


def kendall(row: Mapping[str, Any]) -> float | None:
    """Kendall's tau; None where it is known to come from too few rankings."""
    rankings = count(row, "kendall_tau_n")
    return None if rankings is not None and rankings < FEWEST else number(row, "kendall_tau")


def noise_ceiling(row: Mapping[str, Any]) -> CeilingFacts | None:
    """The ceiling that the annotators' disagreement sets; None where it is not known."""
    found = mapping(row, "noise_ceiling")
    agreement, low, high = (share(found, name) for name in ("agreement", "low", "high"))
    if agreement is None or low is None or high is None:
        return None
    if low > high:
        raise DataError(f"noise_ceiling has low {low:g} above high {high:g}; expected low <= high")
    return CeilingFacts(agreement, low, high, count(found, "n") or 0)


def prompts_needed(row: Mapping[str, Any]) -> dict[str, int]:
    """Prompts needed by half width of the accuracy's interval; those that are not known are left out."""
    listed = mapping(row, "prompts_needed")
    return {str(width): found for width in listed if (found := count(listed, width)) is not None}


def baselines(row: Mapping[str, Any]) -> tuple[BaselineFacts, ...]:
    """The baselines of an evaluation; those without an accuracy (not measured) are left out."""
    found = []
    for name, figures in mapping(row, "baselines").items():
        if not isinstance(figures, Mapping):
            figures = {"accuracy": figures}
        accuracy = share(figures, "accuracy")
        if accuracy is not None:
            spread = interval(figures, "accuracy_ci"), interval(figures, "difference_ci")
            said = str(figures.get("fitted_on") or ""), figures.get("direction")
            if said[1] not in (None, "longer", "shorter"):
                raise DataError(f"direction is {said[1]!r}; expected longer or shorter")
            sides = figures_from(mapping(figures, "leads")), figures_from(mapping(figures, "misleads"))
            agreement = share(figures, "agreement")
            lead = number(figures, "difference")
            found.append(BaselineFacts(str(name), accuracy, spread[0], lead, spread[1], *said, *sides, agreement))
    return tuple(found)


def groups(rows: Any) -> tuple[GroupFacts, ...]:
    """Groups from a list of {label, n, accuracy, …} or an object label -> {n, accuracy, …}, without those of n = 0."""
    if isinstance(rows, Mapping):
        rows = [{"label": label, **figures} for label, figures in rows.items() if isinstance(figures, Mapping)]
    found = []
    for row in rows or ():
        size, accuracy = count(row, "n") or 0, share(row, "accuracy")
        if size and accuracy is not None:
            found.append(GroupFacts(str(row.get("label", "")), size, accuracy, interval(row, "accuracy_ci")))
    return tuple(found)


def reliability(rows: Any) -> tuple[ReliabilityFacts, ...]:
    """The bins of a reliability diagram; empty bins are left out."""
    found = []
    for row in rows or ():
        confidence, accuracy, size = share(row, "confidence"), share(row, "accuracy"), count(row, "n")
        if size and confidence is not None and accuracy is not None:
            low, high = number(row, "low"), number(row, "high")
            spread = None if low is None or high is None else Interval95(low, high)
            found.append(ReliabilityFacts(confidence, accuracy, size, spread))
    return tuple(found)


def curve_number(row: Mapping[str, Any], prefix: str, name: str) -> float | None:
    """None where the row has no such key; NaN where it is null: JSON has no word for a number that is not finite."""
    key = prefix + name
    if key not in row:
        return None
    value = number(row, key)
    return math.nan if value is None else value


def point(row: Mapping[str, Any], prefix: str = "") -> CurvePoint:
    """A row of metrics.jsonl; `prefix` is "eval_" for a validation pass. DataError without a whole step number."""
    step = count(row, "step")
    if step is None:
        raise DataError(f"a row of metrics.jsonl has no step; its keys: {', '.join(row) or 'nothing'}")
    return CurvePoint(
        step=step,
        epoch=number(row, "epoch"),
        loss=curve_number(row, prefix, "loss"),
        accuracy=curve_number(row, prefix, "accuracy"),
        margin=curve_number(row, prefix, "margin"),
        reward_std=curve_number(row, prefix, "reward_std"),
        learning_rate=number(row, "learning_rate"),
        grad_norm=curve_number(row, "", "grad_norm"),
    )


def audit_effects(row: Mapping[str, Any]) -> tuple[AuditEffect, ...]:
    """The effects of audit.json; DataError where one has no known status."""
    found = []
    for effect in row.get("effects") or ():
        status = effect.get("status")
        if status not in ("found", "excluded", "cannot_tell"):
            raise DataError(f"the status of an effect is {status!r}; expected found, excluded or cannot_tell")
        name, family = str(effect.get("name")), str(effect.get("family") or "")
        size, flipped = number(effect, "effect_sd", "effect"), number(effect, "flipped")
        title, size_of = effect.get("title"), count(effect, "n") or 0
        both = isinstance(title, Mapping) and {"en", "zh"} <= title.keys()
        words = Said(str(title["en"]), str(title["zh"])) if both else None
        found.append(AuditEffect(name, family, status, size, interval(effect, "ci"), size_of, flipped, words))
    return tuple(found)


def more_data(row: Mapping[str, Any]) -> MoreData:
    """The largest extrapolation of learning_curve.json; DataError where it has no known status."""
    now = count(row["points"][-1], "records")
    if now is None:
        raise DataError("the last point has no records; expected the number of training records")
    gains = row.get("gains") or ()
    if not gains:
        return MoreData(now)
    last = gains[-1]
    if last.get("status") not in ("found", "excluded", "cannot_tell"):
        raise DataError(f"the status of a gain is {last.get('status')!r}; expected found, excluded or cannot_tell")
    gain, bound = number(last, "gain"), number(row, "bound") or 0.0
    return MoreData(now, count(last, "records"), gain, interval(last, "ci"), last["status"], bound)
