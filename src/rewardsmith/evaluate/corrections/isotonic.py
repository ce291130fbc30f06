"""The probability of a margin as any rising function of it, where a temperature has the wrong shape.

Zadrozny & Elkan 2002, on folded margins: which response is listed first must not matter, so the share of right predictions
is fitted as a rising function of |margin|, at least 1/2, and P(-margin) = 1 - P(margin).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.errors import DataError
from rewardsmith.evaluate.metrics import decided
from rewardsmith.files.reading import refuse_types

FEWEST = 100
"""Decided comparisons below which no curve is fitted: it would follow each of them."""


@dataclass(frozen=True, eq=False)
class IsotonicMap:
    """P(preferred beats other) by the size of the margin: `probabilities` in [1/2, 1) at ascending `margins` >= 0, straight
    lines between, constant outside.
    """

    margins: Float[np.ndarray, " A"]
    probabilities: Float[np.ndarray, " A"]

    def probability(self, margin: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """P(first beats second) of margins of any sign; 1/2 at 0, never falling as the margin rises."""
        size = np.interp(np.abs(margin), self.margins, self.probabilities)
        return np.asarray(0.5 + np.sign(margin) * (size - 0.5))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"margins": self.margins.tolist(), "probabilities": self.probabilities.tolist()}


def isotonic_from(value: Mapping[str, Any]) -> IsotonicMap:
    """A map from its JSON form; DataError for anything else."""
    refuse_types(value, {"margins": tuple[float, ...], "probabilities": tuple[float, ...]})
    margins = np.array(value["margins"], dtype=np.float64)
    probabilities = np.array(value["probabilities"], dtype=np.float64)
    sound = margins.size > 0 and margins.shape == probabilities.shape and not (np.diff(margins) <= 0).any()
    if not sound or (np.diff(probabilities) < 0).any() or not (0.5 <= probabilities[0] <= probabilities[-1] < 1):
        raise DataError("the isotonic map is damaged: expected ascending margins and rising probabilities in [0.5, 1)")
    return IsotonicMap(margins, probabilities)


def fit_isotonic(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> IsotonicMap:
    """The rising function with the least weighted squared error (pool adjacent violators), on decided comparisons.

    A pool of few comparisons would be certain too soon, so each counts as if it held one right and one wrong prediction more
    (Laplace), and pools that then fall are joined again. Predictions stay the same except where the probability is 1/2: a
    margin that small tells nothing. DataError with fewer than 100 comparisons.
    """
    weight = np.ones(margin.size) if weight is None else weight
    rows = decided(preference) & (weight > 0) & (margin != 0)
    count = int(rows.sum())
    if count < FEWEST:
        raise DataError(
            f"isotonic calibration needs at least {FEWEST} decided comparisons; got {count}; pass more data, or use "
            "--method temperature"
        )
    from scipy.optimize import isotonic_regression

    right = 0.5 + np.sign(margin[rows]) * (preference[rows] - 0.5)
    mass = weight[rows] * count / weight[rows].sum()
    sizes, inverse = np.unique(np.abs(margin[rows]).astype(np.float64), return_inverse=True)
    masses = np.bincount(inverse, mass)
    pools = isotonic_regression(np.bincount(inverse, mass * right) / masses, weights=masses).blocks
    held = np.add.reduceat(masses, pools[:-1])
    counted = (np.add.reduceat(np.bincount(inverse, mass * right), pools[:-1]) + 1) / (held + 2)
    probability = np.maximum(isotonic_regression(counted, weights=held).x, 0.5)
    ends = np.stack([sizes[pools[:-1]], sizes[pools[1:] - 1]], axis=1).reshape(-1)
    margins, first = np.unique(ends, return_index=True)
    return IsotonicMap(margins, np.repeat(probability, 2)[first])
