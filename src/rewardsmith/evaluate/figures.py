"""Parts of an evaluation's summary, and each of them as plain values for JSON, NaN as None."""

import math
from dataclasses import dataclass
from typing import Any

from rewardsmith.evaluate.breakdown import Group
from rewardsmith.evaluate.calibration import ReliabilityBin
from rewardsmith.evaluate.inference.noise_floor import NoiseFloor
from rewardsmith.evaluate.rankings import FEWEST, Order
from rewardsmith.evaluate.sides import RuleSides
from rewardsmith.evaluate.statistics import Interval, NoiseCeiling


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """A rule without a reward model on the same comparisons; `difference` is the model's accuracy minus its own.

    `direction` is "longer" or "shorter" of the rule by length; `sides` the model where the rule leads and misleads.
    """

    name: str
    accuracy: float
    interval: Interval
    difference: float
    difference_interval: Interval
    fitted_on: str
    direction: str | None = None
    sides: RuleSides | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Errors in [0, 1]; `temperature` is fitted on `source`, never on the comparisons that it is judged on.

    `source` is validation, "5-fold by prompt" (then `temperature` itself is fitted on all comparisons, and
    `ece_calibrated` on held-out folds), or None where nothing could be fitted.
    """

    ece: float
    ece_calibrated: float
    floor: NoiseFloor
    floor_calibrated: NoiseFloor
    temperature: float
    source: str | None
    raw: tuple[ReliabilityBin, ...]
    calibrated: tuple[ReliabilityBin, ...]


def plain(value: float) -> float | None:
    """A number for JSON: None where it is NaN."""
    return None if math.isnan(value) else float(value)


def ends(interval: Interval) -> list[float | None]:
    """[low, high] for JSON."""
    return [plain(interval.low), plain(interval.high)]


def group_json(group: Group) -> dict[str, Any]:
    """A bin's figures for JSON."""
    return {
        "n": group.n,
        "accuracy": plain(group.accuracy),
        "accuracy_ci": ends(group.interval),
        "clusters": group.interval.clusters,
        "gap": plain(group.gap),
        "gap_ci": ends(group.gap_interval),
        "p_value": plain(group.p_value),
    }


def order_json(found: Order) -> dict[str, Any]:
    """Kendall's tau and best-of-N for JSON with their number of rankings, null for under FEWEST of them."""
    figures: dict[str, Any] = {}
    for name, one in (("kendall_tau", found.tau), ("best_of_n_accuracy", found.best)):
        enough = one.n >= FEWEST
        figures |= {
            name: plain(one.value) if enough else None,
            f"{name}_ci": ends(one.interval) if enough else [None, None],
            f"{name}_n": one.n,
        }
    return figures | {"best_of_n_at_chance": plain(found.chance) if found.best.n >= FEWEST else None}


def baseline_json(found: BaselineResult) -> dict[str, Any]:
    """A rule's figures for JSON."""
    return {
        "accuracy": plain(found.accuracy),
        "accuracy_ci": ends(found.interval),
        "difference": plain(found.difference),
        "difference_ci": ends(found.difference_interval),
        "fitted_on": found.fitted_on,
        **({} if found.direction is None else {"direction": found.direction}),
        **({} if found.sides is None else found.sides.to_json()),
    }


def calibration_json(found: Calibration) -> dict[str, Any]:
    """The calibration's figures for JSON."""
    return {
        "ece": plain(found.ece),
        "ece_calibrated": plain(found.ece_calibrated),
        "ece_noise_floor": plain(found.floor.mean),
        "ece_limit": plain(found.floor.limit),
        "ece_calibrated_noise_floor": plain(found.floor_calibrated.mean),
        "ece_calibrated_limit": plain(found.floor_calibrated.limit),
        "temperature": plain(found.temperature),
        "temperature_source": found.source,
        "reliability": {"raw": bins_json(found.raw), "calibrated": bins_json(found.calibrated)},
    }


def ceiling_json(found: NoiseCeiling | None) -> dict[str, Any] | None:
    """The ceiling that the annotators' disagreement sets, for JSON; None where no comparison has two votes."""
    if found is None:
        return None
    return {
        "agreement": plain(found.agreement.value),
        "agreement_ci": ends(found.agreement.interval()),
        "low": plain(found.low),
        "high": plain(found.high),
        "n": found.n,
    }


def bins_json(table: tuple[ReliabilityBin, ...]) -> list[dict[str, Any]]:
    """The bins of a reliability table for JSON."""
    return [
        {
            "lower": row.lower,
            "upper": row.upper,
            "confidence": row.confidence,
            "accuracy": row.accuracy,
            "n": row.n,
            "low": row.low,
            "high": row.high,
        }
        for row in table
    ]
