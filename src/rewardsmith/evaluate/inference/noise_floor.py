"""The calibration error that chance alone gives a calibrated model: its mean, and the limit beyond which it is no chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.evaluate.calibration import BINS, Folded, binned_error, equal_mass_bins, fold
from rewardsmith.evaluate.inference.clustered import ClusteredRows, gather_clusters, intraclass_correlation
from rewardsmith.evaluate.metrics import sigmoid

DRAWS = 400
"""Simulated label sets; a limit that 5 % exceed is then known to about one percent."""

STEPS = 6
"""Newton's steps from one temperature to that of other labels, which lies near."""

FASTEST = 50.0
"""The temperature of other labels lies between the one begun with divided by this and times this."""

FittedPart = tuple[Bool[np.ndarray, " N"], Bool[np.ndarray, " N"]]
"""Rows that a temperature is fitted on, and rows that it then scales."""


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The calibration error by chance: its mean, and the `limit` that a calibrated model exceeds in 5 % of evaluations."""

    mean: float
    limit: float


NO_FLOOR = NoiseFloor(math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class DrawnOutcomes:
    """What a calibrated model gets right: with its `confidence`, shape (N,), and as alike within a prompt as was seen.

    Each comparison takes the number of its prompt with probability sqrt(correlation), else one of its own, and is right
    where the number is below its confidence: two of one prompt then have this correlation where they are equally sure.
    """

    confidence: Float[np.ndarray, " N"]
    index: Int[np.ndarray, " N"]
    correlation: float

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, " N"]:
        """1 for right, 0 for wrong, 1/2 for no prediction, shape (N,)."""
        number = rng.random(self.confidence.size)
        if self.correlation > 0:
            shared = rng.random(self.confidence.size) < math.sqrt(self.correlation)
            number = np.where(shared, rng.random(int(self.index.max()) + 1)[self.index], number)
        return np.where(self.confidence == 0.5, 0.5, (number < self.confidence).astype(np.float64))


def outcomes_of(folded: Folded) -> DrawnOutcomes:
    """The stated confidences, and how alike the errors of a prompt are once the mean error of each bin is taken out.

    The correlation is that of two equally sure comparisons, such that errors of unequal ones are as alike as was seen.
    """
    clusters = gather_clusters(folded.weight, folded.cluster)
    if (clusters.rows == 1).all():
        return DrawnOutcomes(folded.confidence, clusters.index, 0.0)
    mass = np.bincount(folded.bin, folded.weight, folded.bins)
    error = folded.correct - folded.confidence
    lean = np.bincount(folded.bin, folded.weight * error, folded.bins) / np.maximum(mass, 1e-300)
    seen = intraclass_correlation(error - lean[folded.bin], folded.weight, clusters)
    most = largest_correlation(folded.confidence, folded.weight, clusters)
    return DrawnOutcomes(folded.confidence, clusters.index, min(1.0, seen / most) if most > 0 else 1.0)


def largest_correlation(
    confidence: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], clusters: ClusteredRows
) -> float:
    """The intraclass correlation of outcomes that all take the number of their prompt, in [0, 1].

    It is below 1 where confidences differ: two outcomes of confidences p <= q then have the covariance p - p q, and not the
    root of the product of their variances. Pairs are weighted as in `intraclass_correlation`.
    """
    order = np.lexsort((confidence, clusters.index))
    index, weight, confidence = clusters.index[order], weight[order], confidence[order]
    reached = np.cumsum(weight)
    above = np.cumsum(clusters.weight)[index] - reached
    lower = np.bincount(index, 2 * weight * confidence * above, clusters.size)
    products = np.bincount(index, weight * confidence, clusters.size) ** 2
    products -= np.bincount(index, (weight * confidence) ** 2, clusters.size)
    squares = np.bincount(index, weight * confidence * (1 - confidence), clusters.size)
    possible = (clusters.weight**2 - clusters.squares) * squares / clusters.weight**2
    total = float(possible.sum())
    return float(((lower - products) / clusters.weight).sum()) / total if total > 0 else 0.0


def ece_noise_floor(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    rng: np.random.Generator,
    weight: Float[np.ndarray, " N"] | None = None,
    cluster: Int[np.ndarray, " N"] | None = None,
    bins: int = BINS,
    draws: int = DRAWS,
) -> NoiseFloor:
    """The floor of `calibration.ece` for a calibrated model with these margins.

    DrawnOutcomes are drawn with the stated confidences (consistency resampling, Broecker & Smith 2007), those of a prompt as
    alike as was seen (`cluster`; None: each row is a prompt), one judge per comparison: too high for soft labels of many.
    """
    folded = fold(margin, preference, weight=weight, cluster=cluster, bins=bins)
    if not folded.bin.size:
        return NO_FLOOR
    source = outcomes_of(folded)
    return floor_of([binned_error(folded, source.draw(rng)) for _ in range(draws)])


def calibrated_noise_floor(
    scaled: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    rng: np.random.Generator,
    parts: Sequence[FittedPart],
    judged: Bool[np.ndarray, " N"],
    weight: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    draws: int = DRAWS // 2,
) -> NoiseFloor:
    """The floor of the error after a fitted temperature, for a model of which the temperature was all that was wrong.

    `scaled` are the margins divided by it, decided comparisons only, both those that it was fitted on and those that are
    `judged`. Labels are drawn at the temperature that fits all of these together best: the one fitted on few rows alone may
    be far from the model's own. A temperature has an error of its own, so it is fitted to the drawn labels again, on the
    first rows of each part, and scales the second.
    """
    folded = fold(scaled, preference, weight=weight, cluster=cluster)
    if not folded.bin.size or folded.bin.size != scaled.size or not np.isfinite(scaled).all():
        return NO_FLOOR
    size = np.abs(scaled)
    likely = refitted(size, folded.correct, folded.weight)
    source = replace(outcomes_of(folded), confidence=sigmoid(size * likely))
    errors = []
    for _ in range(draws):
        outcome = source.draw(rng)
        confidence = folded.confidence.copy()
        for fitted_on, scales in parts:
            factor = refitted(size[fitted_on], outcome[fitted_on], folded.weight[fitted_on], start=likely)
            confidence[scales] = sigmoid(size[scales] * factor)
        bins = equal_mass_bins(confidence[judged], folded.weight[judged])
        seen = Folded(confidence[judged], outcome[judged], folded.weight[judged], bins, folded.cluster[judged])
        errors.append(binned_error(seen))
    return floor_of(errors)


def refitted(
    size: Float[np.ndarray, " M"],
    outcome: Float[np.ndarray, " M"],
    weight: Float[np.ndarray, " M"],
    *,
    start: float = 1.0,
) -> float:
    """The factor, near `start`, by which |margin| fits outcomes best (maximum likelihood, Newton's method, each step at most
    doubling or halving it)."""
    factor = start
    for _ in range(STEPS):
        confidence = sigmoid(size * factor)
        slope = float((weight * size * (outcome - confidence)).sum())
        curve = float((weight * size**2 * confidence * (1 - confidence)).sum())
        if curve <= 0:
            break
        factor += max(-factor / 2, min(factor, slope / curve))
        factor = min(start * FASTEST, max(start / FASTEST, factor))
    return factor


def floor_of(errors: list[float]) -> NoiseFloor:
    """Mean and 95 % quantile of simulated errors."""
    return NoiseFloor(float(np.mean(errors)), float(np.quantile(errors, 0.95)))
