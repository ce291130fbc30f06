"""What a set of comparisons can tell at all: smallest difference, prompts needed, and the ceiling that labels set."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.inference.clustered import ClusteredMean, clustered_mean
from rewardsmith.evaluate.inference.interval import Z95


def minimal_detectable_difference(standard_error: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """(z_{(1+level)/2} + z_power) se: the true difference that a test of this level finds with this power."""
    normal = NormalDist()
    return (normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)) * standard_error


@runtime_checkable
class OverPrompts(Protocol):
    """What was measured on `clusters` prompts: an estimate, or its interval."""

    @property
    def clusters(self) -> int:
        """Prompts that it rests on."""

    @property
    def standard_error(self) -> float:
        """Standard deviation over sets of such prompts."""


def prompts_to_detect(measured: OverPrompts, difference: float) -> int | None:
    """Prompts like these on which a true `difference` > 0 would be found with 80 % power; None without a standard error."""
    if difference <= 0:
        raise DataError(f"the difference is {difference}; expected a number above 0, such as 0.01")
    if math.isnan(measured.standard_error):
        return None
    return math.ceil(measured.clusters * (minimal_detectable_difference(measured.standard_error) / difference) ** 2)


def prompts_needed(measured: OverPrompts, half_width: float) -> int | None:
    """Prompts like these for a 95 % interval of `value -+ half_width`; None without a standard error.

    Standard errors shrink with the square root of the number of prompts, each with as many comparisons as here.
    """
    if half_width <= 0:
        raise DataError(f"the half width is {half_width}; expected a number above 0, such as 0.03")
    if math.isnan(measured.standard_error):
        return None
    return math.ceil(measured.clusters * (Z95 * measured.standard_error / half_width) ** 2)


@dataclass(frozen=True, slots=True)
class NoiseCeiling:
    """The highest accuracy that any model can be expected to have against the label of one annotator: in [low, high].

    `agreement` A is how often two annotators agree. If all comparisons are equally clear, an annotator gives the better
    response the preference with probability q, A = q^2 + (1 - q)^2, and the best model reaches q = (1 + sqrt(2 A - 1)) / 2.
    If some are certain and the others a coin, the best model reaches A. What lies between is a mixture. A below one half is
    no agreement: both ends are one half. Labels that several annotators voted on have a higher ceiling than this.
    """

    agreement: ClusteredMean
    low: float
    high: float
    n: int


def ceiling_ends(agreement: float) -> tuple[float, float]:
    """(A, (1 + sqrt(2 A - 1)) / 2), both 1/2 for A below it; NaN stays NaN."""
    above = max(agreement, 0.5) if not math.isnan(agreement) else math.nan
    return above, (1 + math.sqrt(2 * above - 1)) / 2 if not math.isnan(above) else math.nan


def noise_ceiling(
    preferring: Float[np.ndarray, " N"],
    votes: Float[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
) -> NoiseCeiling | None:
    """The ceiling from `preferring` of `votes` annotators of each comparison; None where none has two votes or more.

    Two different annotators of a comparison agree with probability (k (k - 1) + (v - k) (v - k - 1)) / (v (v - 1)).
    """
    rows = (votes >= 2) & (weight > 0)
    if not rows.any():
        return None
    v, k = votes[rows], preferring[rows]
    alike = (k * (k - 1) + (v - k) * (v - k - 1)) / (v * (v - 1))
    agreement = clustered_mean(np.clip(alike, 0.0, 1.0), weight[rows], cluster=cluster[rows])
    return NoiseCeiling(agreement, *ceiling_ends(agreement.value), n=int(rows.sum()))
