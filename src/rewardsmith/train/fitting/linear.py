"""Bradley-Terry models that are linear in known features: fitted exactly, the penalty chosen by cross-validation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.metrics import nll

PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""L2 penalties to choose from, per unit of mean loss and on features of unit spread."""
DEFAULT_PENALTY = 0.1
"""Taken where all comparisons are about one prompt."""
SEPARATING = 1e-6
"""A penalty that only keeps weights finite where the comparisons can be separated."""
SMALLEST = 1e-9
"""Eigenvalues below this share of the largest are rounding."""
CHUNK = 1024

Weights = Float[np.ndarray, " _"]  # of a linear head, one per feature


@dataclass(frozen=True)
class Differences:
    """Pooled features of the preferred response minus those of the other, and what judges said."""

    x: Float[np.ndarray, "C H"]
    preference: Float[np.ndarray, " C"]
    weight: Float[np.ndarray, " C"]
    cluster: Int[np.ndarray, " C"]
    """A number per prompt."""

    def part(self, rows: Bool[np.ndarray, " C"]) -> "Differences":
        """Some of the comparisons."""
        return Differences(self.x[rows], self.preference[rows], self.weight[rows], self.cluster[rows])


@dataclass(frozen=True)
class PairFeatures:
    """Features of N distinct texts in fp32, and C comparisons as numbers of texts."""

    features: Float[np.ndarray, "N H"]
    preferred: Int[np.ndarray, " C"]
    other: Int[np.ndarray, " C"]
    preference: Float[np.ndarray, " C"]
    weight: Float[np.ndarray, " C"]
    cluster: Int[np.ndarray, " C"]

    def differences(self) -> Differences:
        """Every comparison's features."""
        x = self.features[self.preferred] - self.features[self.other]
        return Differences(x, self.preference, self.weight, self.cluster)

    def margins(self, weights: Weights) -> Float[np.ndarray, " C"]:
        """Every comparison's margin under a head with these weights."""
        rewards = self.features.astype(np.float64) @ weights
        margins: Float[np.ndarray, " C"] = rewards[self.preferred] - rewards[self.other]
        return margins

    def spread(self) -> Float[np.ndarray, " H"]:
        """The standard deviation of each feature's differences; a feature that never differs gets a 1."""
        total, square = np.zeros(self.features.shape[1]), np.zeros(self.features.shape[1])
        for at in range(0, len(self.preferred), CHUNK):  # all at once would take as much memory as the differences
            rows = slice(at, at + CHUNK)
            x = (self.features[self.preferred[rows]] - self.features[self.other[rows]]).astype(np.float64)
            total += x.sum(axis=0)
            square += (x * x).sum(axis=0)
        count = len(self.preferred)
        found = np.sqrt(np.maximum(square / count - (total / count) ** 2, 0.0))
        return np.where(found > 0, found + 1e-6, 1.0).astype(np.float32)


def fit_pair_features(known: PairFeatures, *, seed: int) -> tuple[Weights, float]:
    """The best weights for these features, and the penalty that cross-validation chose."""
    return fit_all(known, seed=seed)[:2]


def fit_separating(known: PairFeatures) -> Weights:
    """The weights that rank these very comparisons best: no penalty beyond SEPARATING, and features of unit spread.

    As many comparisons as features can be ranked in any order, and with high probability up to twice as many (Cover 1965,
    "Geometrical and statistical properties of systems of linear inequalities", theorem 1), so that only features that
    hardly differ, or equal pairs with opposite labels, prevent it.
    """
    spread = known.spread()
    rotated, back = rotate(replace(known, features=known.features / spread))
    fitted: Weights = back(fit_linear(rotated.differences(), SEPARATING)) / spread
    return fitted


def fit_all(known: PairFeatures, *, seed: int) -> tuple[Weights, float, Differences, Callable[[Weights], Weights]]:
    """As `fit_pair_features`, with the comparisons in the coordinates of the fit, and the way back for weights there."""
    spread = known.spread()
    rotated, back = rotate(replace(known, features=known.features / spread))
    data = rotated.differences()
    penalty = chosen_penalty(data, seed=seed)

    def plain(weights: Weights) -> Weights:
        scaled: Weights = back(weights) / spread
        return scaled

    return plain(fit_linear(data, penalty)), penalty, data, plain


def chosen_penalty(data: Differences, *, seed: int) -> float:
    """The penalty with the smallest cross-validated loss, prompts kept together; the default where there is one prompt.

    From strong to weak, each fit beginning at the last; once two in a row are worse than the best, weaker ones only fit
    more noise and are left out.
    """
    parts = [(here, data.part(~here)) for here in held_out_folds(data.cluster, seed=seed)]
    if not parts:
        return DEFAULT_PENALTY
    starts = [np.zeros(data.x.shape[1])] * len(parts)
    losses: list[float] = []
    for penalty in PENALTIES:
        margins = np.zeros(len(data.x))
        for number, (inside, train) in enumerate(parts):
            starts[number] = fit_linear(train, penalty, starts[number])
            margins[inside] = data.x[inside] @ starts[number]
        losses.append(nll(margins, data.preference, weight=data.weight))
        if int(np.argmin(losses)) < len(losses) - 2:
            break
    return PENALTIES[int(np.argmin(losses))]


def rotate(known: PairFeatures) -> tuple[PairFeatures, Callable[[Weights], Weights]]:
    """The same texts in as few coordinates as they span, and the way back for weights found there.

    Penalised weights lie in the span of the texts (the representer theorem, Kimeldorf & Wahba 1971), so nothing is lost
    where features are more than texts, and a fit costs a fraction.
    """
    count, width = known.features.shape
    if count >= width:
        return known, lambda weights: weights
    gram = known.features.astype(np.float64) @ known.features.T.astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * SMALLEST
    roots = np.sqrt(values[kept])
    coordinates = (vectors[:, kept] * roots).astype(np.float32)

    def back(weights: Weights) -> Weights:
        return np.asarray(known.features.T.astype(np.float64) @ (vectors[:, kept] @ (weights / roots)))

    return replace(known, features=coordinates), back


def fit_linear(data: Differences, penalty: float, start: Weights | None = None) -> Weights:
    """Weights b that minimise mean_w[-p log s(x b) - (1 - p) log s(-x b)] + penalty / 2 |b|^2, s the logistic function.

    Bradley & Terry 1952 with x as the difference of features; convex, so the start decides nothing but the time.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    share = data.weight / data.weight.sum()

    def objective(b: Weights) -> tuple[float, Weights]:
        margin = (data.x @ b.astype(np.float32)).astype(np.float64)
        loss = share @ (np.logaddexp(0, -margin) + (1 - data.preference) * margin)
        slope = share * (expit(margin) - data.preference)
        gradient = (slope.astype(np.float32) @ data.x).astype(np.float64) + penalty * b
        return float(loss + 0.5 * penalty * b @ b), gradient

    first = np.zeros(data.x.shape[1]) if start is None else start
    return np.asarray(minimize(objective, first, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)
