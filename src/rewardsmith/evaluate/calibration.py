"""Whether sigma(margin) can be read as a probability.

Calibration is judged on decided comparisons, folded: which response is listed as preferred must not matter, so the
confidence is that of the side which the model predicts, max(p, 1 - p) = sigma(|margin|), and correct is the share of
judges on that side (1 or 0 for a plain label, 1/2 for a margin of exactly 0). Unfolded, accuracy in a bin is 0 or 1 by
construction, and a perfectly calibrated model looks wrong.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import decided, sigmoid
from rewardsmith.evaluate.statistics import clustered_mean

BINS = 15
"""As in Guo et al. (2017), but of equal mass."""

TEMPERATURE_SPAN = 1e4
"""The temperature is searched between the typical margin divided by this and times this."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Comparisons of similar confidence: the range and mean of it, the share correct, and its 95 % interval.

    `lower`, `upper`, `confidence` lie in [0.5, 1], `accuracy` in [0, 1]; `n` counts rows.
    """

    lower: float
    upper: float
    confidence: float
    accuracy: float
    n: int
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Folded:
    """Decided comparisons of positive weight, seen from the predicted side; all arrays of shape (N,).

    `bin` numbers the equal-mass bin of each row, `cluster` its prompt.
    """

    confidence: Float[np.ndarray, " N"]
    correct: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    bin: Int[np.ndarray, " N"]
    cluster: Int[np.ndarray, " N"]

    @property
    def bins(self) -> int:
        """One more than the highest bin in use."""
        return int(self.bin.max()) + 1 if self.bin.size else 0


def fold(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
    cluster: Int[np.ndarray, " N"] | None = None,
    bins: int = BINS,
) -> Folded:
    """Decided comparisons from the side that the model predicts; without `cluster` each is a prompt of its own."""
    weight = np.ones(margin.size) if weight is None else weight
    cluster = np.arange(margin.size) if cluster is None else cluster
    rows = decided(preference) & (weight > 0)
    margin, preference, weight = margin[rows], preference[rows], weight[rows]
    confidence = sigmoid(np.abs(margin))
    correct = 0.5 + np.sign(margin) * (preference - 0.5)
    return Folded(confidence, correct, weight, equal_mass_bins(confidence, weight, bins=bins), cluster[rows])


def equal_mass_bins(
    confidence: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], *, bins: int = BINS
) -> Int[np.ndarray, " N"]:
    """The bin of each row, 0 to bins - 1, such that each holds about the same weight.

    Equal confidences share a bin (the one of their middle), so the order of the rows never matters.
    """
    _, inverse = np.unique(confidence, return_inverse=True)
    mass = np.bincount(inverse.reshape(-1), weight)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.asarray(np.minimum((middle * bins).astype(np.int64), bins - 1)[inverse.reshape(-1)])


def ece(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
    bins: int = BINS,
) -> float:
    """Expected calibration error: sum over bins of (mass of bin / mass) |mean correct - mean confidence|, in [0, 1].

    Guo et al. 2017, eq. 3, with equal-mass bins (Nguyen & O'Connor 2015). Chance alone makes it positive
    for a calibrated model: compare it with `inference.noise_floor`.
    """
    return binned_error(fold(margin, preference, weight=weight, bins=bins))


def binned_error(folded: Folded, correct: Float[np.ndarray, " N"] | None = None) -> float:
    """The calibration error of `folded`, or of the same confidences with other outcomes."""
    if not folded.bin.size:
        return float("nan")
    outcome = folded.correct if correct is None else correct
    gaps = np.bincount(folded.bin, folded.weight * (outcome - folded.confidence), folded.bins)
    return float(np.abs(gaps).sum() / folded.weight.sum())


def reliability(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
    cluster: Int[np.ndarray, " N"] | None = None,
    bins: int = BINS,
) -> tuple[ReliabilityBin, ...]:
    """The reliability table in ascending order of confidence, bins without a comparison left out.

    The intervals keep the comparisons of a prompt (`cluster`; None: each row is one) together.
    """
    folded = fold(margin, preference, weight=weight, cluster=cluster, bins=bins)
    table = []
    for number in np.unique(folded.bin):
        rows = folded.bin == number
        confidence, weight_here = folded.confidence[rows], folded.weight[rows]
        share = clustered_mean(folded.correct[rows], weight_here, cluster=folded.cluster[rows])
        spread = share.interval()
        table.append(
            ReliabilityBin(
                lower=float(confidence.min()),
                upper=float(confidence.max()),
                confidence=float(confidence @ weight_here / weight_here.sum()),
                accuracy=share.value,
                n=int(rows.sum()),
                low=spread.low,
                high=spread.high,
            )
        )
    return tuple(table)


def fit_temperature(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """The T > 0 for which sigma(margin / T) has the lowest negative log-likelihood (Guo et al. 2017, section 4.2).

    T > 1: the model is too sure. Fit it on other data than it is judged on. The likelihood has one maximum, found on
    log T within 1e4 times the typical margin, which is where a model that is always right (T -> 0) or no better than
    chance (T -> infinity) ends. NaN without decided comparisons or with margins that are all 0.
    """
    weight = np.ones(margin.size) if weight is None else weight
    rows = decided(preference) & (weight > 0) & (margin != 0)
    if not rows.any():
        return float("nan")
    margin, preference, weight = margin[rows].astype(np.float64), preference[rows], weight[rows]
    scale = float(np.abs(margin) @ weight / weight.sum())
    unit = margin / scale

    def loss(log_temperature: float) -> float:
        scaled = unit * math.exp(-log_temperature)
        values = preference * np.logaddexp(0.0, -scaled) + (1 - preference) * np.logaddexp(0.0, scaled)
        return float(values @ weight / weight.sum())

    from scipy.optimize import minimize_scalar

    reach = math.log(TEMPERATURE_SPAN)
    found = minimize_scalar(loss, bounds=(-reach, reach), method="bounded", options={"xatol": 1e-8})
    return scale * math.exp(float(found.x))


def cross_fitted_margin(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"] | None = None,
    seed: int = 0,
) -> Float[np.ndarray, " N"]:
    """margin / T, T fitted on the other folds by prompt: what calibration gives on data that it was not fitted on.

    NaN throughout where a fold leaves nothing to fit on (fewer than two prompts, or all other margins 0).
    """
    weight = np.ones(margin.size) if weight is None else weight
    scaled = np.full(margin.size, np.nan)
    for here in held_out_folds(cluster, seed=seed):
        temperature = fit_temperature(margin[~here], preference[~here], weight=weight[~here])
        if math.isnan(temperature):
            return np.full(margin.size, np.nan)
        scaled[here] = margin[here] / temperature
    return scaled
