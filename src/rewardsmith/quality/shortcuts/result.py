"""How well one feature predicts the label."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardsmith.evaluate.statistics import Interval


@dataclass(frozen=True)
class Shortcut:
    """How well one feature (or the model of all) predicts the label: accuracy and AUC with 95 % intervals by prompt.

    `higher` counts the rows in which the preferred response has more of it, `differing` those in which the two differ.
    `found` says that the accuracy is not one half, with FALSE_ALARM over all features.
    """

    name: str
    accuracy: float
    accuracy_ci: Interval
    auc: float
    auc_ci: Interval
    differing: int
    found: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "name": self.name,
            "accuracy": number(self.accuracy),
            "accuracy_ci": bounds(self.accuracy_ci),
            "auc": number(self.auc),
            "auc_ci": bounds(self.auc_ci),
            "differing": self.differing,
            "found": self.found,
        }


def number(value: float) -> float | None:
    """A number for JSON; None for NaN."""
    return None if np.isnan(value) else round(value, 6)


def bounds(interval: Interval) -> list[float | None]:
    """The two ends for JSON."""
    return [number(interval.low), number(interval.high)]
