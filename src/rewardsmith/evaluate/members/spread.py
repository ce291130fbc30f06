"""How far the members' disagreement should pull a probability towards 1/2.

A margin m whose members spread with standard deviation s is read as normal around m with standard deviation f s. The mean of
sigma over it is close to sigma(m / sqrt(1 + pi/8 (f s)^2)) (MacKay 1992, "The evidence framework applied to classification
networks", eq. 10), here after the temperature: m / T and f s / T. f = 0 is temperature scaling alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.calibration import TEMPERATURE_SPAN
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import decided, nll_values

PROBIT = math.pi / 8
LARGEST = 1e4
"""Of (f s / T)^2 pi / 8 at the typical s: a probability within 0.01 of 1/2 for margins 4 times T."""


@dataclass(frozen=True, slots=True)
class SpreadFit:
    """T > 0 and f >= 0 (`factor`): what the margins are divided by, and how many times s the margin's own error is."""

    temperature: float
    factor: float

    def scaled(self, margin: Float[np.ndarray, " N"], std: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """The margins whose sigma is the probability."""
        unit = margin / self.temperature
        return np.asarray(unit / np.sqrt(1 + PROBIT * (self.factor * std / self.temperature) ** 2))


def fit_spread(
    margin: Float[np.ndarray, " N"],
    std: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"],
) -> SpreadFit | None:
    """T and f with the lowest negative log-likelihood on decided comparisons; None where nothing can be told.

    Fit it on other data than it is judged on. T lies within 1e4 times the typical margin, as in `fit_temperature`.
    """
    rows = decided(preference) & (weight > 0) & (margin != 0)
    if not rows.any() or not (std[rows] > 0).any():
        return None
    margin, std, preference, weight = margin[rows], std[rows], preference[rows], weight[rows] / weight[rows].sum()
    typical, wide = float(np.abs(margin) @ weight), float(std @ weight)
    unit, ratio = margin / typical, std / wide

    def loss(parameters: Float[np.ndarray, " 2"]) -> float:
        log_temperature, shrink = parameters
        scaled = unit * math.exp(-log_temperature) / np.sqrt(1 + shrink * ratio**2)
        return float(nll_values(scaled, preference) @ weight)

    from scipy.optimize import minimize

    reach = math.log(TEMPERATURE_SPAN)
    starts = [np.array([start, shrink]) for start in (0.0, -1.0) for shrink in (0.0, 1.0)]
    bounds = [(-reach, reach), (0.0, LARGEST)]
    found = min((minimize(loss, start, bounds=bounds, method="L-BFGS-B") for start in starts), key=lambda one: one.fun)
    temperature = typical * math.exp(float(found.x[0]))
    return SpreadFit(temperature, math.sqrt(float(found.x[1]) / PROBIT) * temperature / wide)


def cross_fitted_spread(
    margin: Float[np.ndarray, " N"],
    std: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    seed: int = 0,
) -> Float[np.ndarray, " N"] | None:
    """The scaled margins, each with T and f fitted on the other folds by prompt; None where a fold leaves nothing to fit."""
    scaled, folds = np.full(margin.size, np.nan), held_out_folds(cluster, seed=seed)
    for here in folds:
        fitted = fit_spread(margin[~here], std[~here], preference[~here], weight=weight[~here])
        if fitted is None:
            return None
        scaled[here] = fitted.scaled(margin[here], std[here])
    return scaled if folds else None
