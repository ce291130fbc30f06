"""How much of a best result is selection: what the best of several equal models shows by chance.

Settings that are chosen on validation are the best of N there, and their figure is the largest of N noisy ones. The null
comparison: N models of one true quality, whose validation figures differ only by which prompts happen to be in the set. The
models are scored on the same prompts, so their noise is correlated, and a formula for N independent ones would be too large;
their own values on each prompt tell how.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.inference.interval import cluster_index

RESAMPLES = 4000
SAME = 1e-12
"""A difference of means that is rounding."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`gap`: the best of `models` minus their mean. `expected`: what it would be, on average, for equal models, and so by
    how much the figure of the best overstates it there. `p_value`: the share of sets of equal models with a gap as large.
    """

    models: int
    gap: float
    expected: float
    p_value: float


def best_of_equal(
    values: Float[np.ndarray, "M N"],
    *,
    weight: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    rng: np.random.Generator,
) -> Selection:
    """Compare the best of M models (rows; higher is better) with the best of M equal ones.

    Each model's values are centred at its own mean, and every cluster (prompt) gets one standard normal multiplier for all
    models: the Gaussian multiplier bootstrap for the maximum of correlated means (Chernozhukov, Chetverikov and Kato 2013,
    Annals of Statistics 41, 2786-2819), here of the test that White (2000, Econometrica 68, 1097-1126) calls a reality
    check, with the mean of all models as its benchmark. The p-value counts the data among the resamples.
    """
    share = weight / weight.sum()
    means = values @ share
    gap = float(means.max() - means.mean())
    index, _ = cluster_index(cluster)
    scores = (values - means[:, None]) * share
    by_cluster = np.stack([np.bincount(index, row) for row in scores])
    drawn = rng.standard_normal((RESAMPLES, by_cluster.shape[1])) @ by_cluster.T
    gaps = drawn.max(axis=1) - drawn.mean(axis=1)
    p_value = (1 + int((gaps >= gap - SAME).sum())) / (1 + RESAMPLES)
    return Selection(len(values), gap, float(gaps.mean()), p_value)
