"""How the reward rises with the length of a response, so that it can be taken out without training again.

Post-hoc reward calibration, Huang et al. 2024 (arXiv 2409.17407): the observed reward is taken as quality plus a bias that
depends on length alone, the bias is estimated by the mean reward at that length, and taken off. We add the mean of all
rewards again, which changes no margin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.corrections.smoothing import local_average, lowess, places_of
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.files.reading import refuse_types

Smoother = Literal["lowess", "local-average"]
LengthUnit = Literal["tokens", "characters"]

SHARES = (0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the points in a local fit that are tried; 0.5 is the default of the authors' code."""
WINDOWS = (1.0, 0.5, 0.25, 0.125)
"""Half-widths that are tried, in mean differences of length within a comparison; a quarter is the authors' choice."""
TRIED_AT = 50
"""Places of the curves that are tried."""
FEWEST = 50
"""Responses below which no curve is fitted."""


@dataclass(frozen=True, eq=False)
class LengthCurve:
    """The mean reward by length: `values` at the ascending `lengths`, straight lines between, constant outside.

    `smoothing` is what the smoother was given: a share of the points (lowess), or a half-width in units of length.
    `chosen` says whether cross-validation chose it. `mean` is the mean reward of the data it was fitted on.
    """

    smoother: Smoother
    smoothing: float
    chosen: bool
    unit: LengthUnit
    lengths: Float[np.ndarray, " A"]
    values: Float[np.ndarray, " A"]
    mean: float

    def corrected(self, reward: Float[np.ndarray, " R"], length: Float[np.ndarray, " R"]) -> Float[np.ndarray, " R"]:
        """The rewards without what their length explains: reward - curve(length) + mean."""
        return np.asarray(reward - np.interp(length, self.lengths, self.values) + self.mean)

    def outside(self, length: Float[np.ndarray, " R"]) -> Bool[np.ndarray, " R"]:
        """Which lengths lie outside those that the curve was fitted on, where it is taken as constant."""
        return np.asarray((length < self.lengths[0]) | (length > self.lengths[-1]))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "smoother": self.smoother,
            "smoothing": self.smoothing,
            "chosen": self.chosen,
            "unit": self.unit,
            "lengths": self.lengths.tolist(),
            "values": self.values.tolist(),
            "mean": self.mean,
        }


def curve_from(value: Mapping[str, Any]) -> LengthCurve:
    """A curve from its JSON form; DataError for anything else."""
    numbers = {
        "smoothing": float,
        "chosen": bool,
        "mean": float,
        "lengths": tuple[float, ...],
        "values": tuple[float, ...],
    }
    refuse_types(value, {"smoother": Smoother, "unit": LengthUnit, **numbers})
    lengths, values = np.array(value["lengths"], dtype=np.float64), np.array(value["values"], dtype=np.float64)
    if lengths.size == 0 or lengths.shape != values.shape or (np.diff(lengths) <= 0).any():
        raise DataError("the length curve is damaged: expected ascending lengths with one value each")
    return LengthCurve(
        value["smoother"],
        float(value["smoothing"]),
        value["chosen"],
        value["unit"],
        lengths,
        values,
        float(value["mean"]),
    )


def fit_length_curve(
    reward: Float[np.ndarray, " R"],
    length: Float[np.ndarray, " R"],
    *,
    cluster: Int[np.ndarray, " R"],
    gap: float,
    smoother: Smoother = "lowess",
    smoothing: float | None = None,
    unit: LengthUnit = "tokens",
    seed: int = 0,
) -> LengthCurve:
    """The curve of these responses; `cluster` is the prompt of each, `gap` the mean difference of length in a comparison.

    Without `smoothing`, that with the lowest squared error on left-out prompts (five folds) is taken. DataError where there
    are fewer than 50 responses, or all have one length.
    """
    if reward.size < FEWEST:
        raise DataError(f"length calibration needs at least {FEWEST} responses; got {reward.size}; pass more data")
    if np.unique(length).size < 2:
        raise DataError(f"all {length.size} responses have the same length, so no trend in length can be fitted")
    tried = SHARES if smoother == "lowess" else tuple(share * max(gap, 1.0) for share in WINDOWS)
    chosen = smoothing is None
    if smoothing is None:
        smoothing = best_smoothing(reward, length, cluster, smoother, tried, seed=seed)
    at = places_of(length)
    values = smoothed(smoother, length, reward, at, smoothing)
    return LengthCurve(smoother, float(smoothing), chosen, unit, at, values, float(reward.mean()))


def smoothed(
    smoother: Smoother,
    length: Float[np.ndarray, " N"],
    reward: Float[np.ndarray, " N"],
    at: Float[np.ndarray, " A"],
    smoothing: float,
) -> Float[np.ndarray, " A"]:
    """The curve at the places `at`."""
    if smoother == "lowess":
        return lowess(length, reward, at, share=smoothing)
    return local_average(length, reward, at, half_width=smoothing)


def best_smoothing(
    reward: Float[np.ndarray, " R"],
    length: Float[np.ndarray, " R"],
    cluster: Int[np.ndarray, " R"],
    smoother: Smoother,
    tried: Sequence[float],
    *,
    seed: int,
) -> float:
    """Of the smoothings tried, the one whose curve is nearest to the rewards of prompts it has not seen; the smoothest of
    equals. With fewer than two prompts the middle one.
    """
    folds = held_out_folds(cluster, seed=seed)
    if not folds:
        return tried[len(tried) // 2]
    errors = dict.fromkeys(sorted(tried, reverse=True), 0.0)
    for left_out in folds:
        at = places_of(length[~left_out], most=TRIED_AT)
        for smoothing in errors:
            values = smoothed(smoother, length[~left_out], reward[~left_out], at, smoothing)
            errors[smoothing] += float(((reward[left_out] - np.interp(length[left_out], at, values)) ** 2).sum())
    return min(errors, key=errors.__getitem__)
