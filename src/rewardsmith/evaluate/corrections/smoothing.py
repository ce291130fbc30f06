"""Smooth curves of one variable on another: LOWESS, and the average of all that lies near.

Both are evaluated at given places only, so that a curve through a million points costs no more than its places.
"""

import numpy as np
from jaxtyping import Float

ROBUST_PASSES = 3
"""As Cleveland (1979) and statsmodels: outliers lose their weight in three more passes."""

MOST_PLACES = 200
"""Places at which a curve is computed; between them it is a straight line."""

AT_A_TIME = 2_000_000
"""Distances held at a time; bounds memory."""


def places_of(x: Float[np.ndarray, " N"], *, most: int = MOST_PLACES) -> Float[np.ndarray, " A"]:
    """The distinct values in ascending order; of more than `most`, that many quantiles of the points."""
    distinct = np.unique(x)
    if distinct.size <= most:
        return distinct
    return np.unique(np.quantile(x, np.linspace(0, 1, most)))


def lowess(
    x: Float[np.ndarray, " N"],
    y: Float[np.ndarray, " N"],
    at: Float[np.ndarray, " A"],
    *,
    share: float,
    passes: int = ROBUST_PASSES,
) -> Float[np.ndarray, " A"]:
    """Locally weighted linear regression at the ascending places `at`, robust by bisquare weights (Cleveland, JASA 1979).

    Each fit takes the `share` of the points in (0, 1] that lie nearest, with tricube weights of their distance. Residuals
    are taken from the curve between the places, which is exact where `at` holds every value of x.
    """
    nearest = min(x.size, max(2, int(share * x.size + 1e-10)))
    trust = np.ones(x.size)
    curve = np.zeros(at.size)
    for step in range(passes + 1):
        curve = np.concatenate([local_fits(x, y, trust, some, nearest) for some in parts(at, x.size)])
        residual = np.abs(y - np.interp(x, at, curve))
        scale = 6 * float(np.median(residual))
        if step == passes or scale <= 1e-12 * max(1.0, float(np.abs(y).max())):
            break
        trust = np.where(residual < scale, (1 - (residual / scale) ** 2) ** 2, 0.0)
    return curve


def parts(at: Float[np.ndarray, " A"], points: int) -> list[np.ndarray]:
    """The places in runs for which all distances to the points fit into memory."""
    step = max(1, AT_A_TIME // max(1, points))
    return [at[start : start + step] for start in range(0, at.size, step)]


def local_fits(
    x: Float[np.ndarray, " N"],
    y: Float[np.ndarray, " N"],
    trust: Float[np.ndarray, " N"],
    at: Float[np.ndarray, " A"],
    nearest: int,
) -> Float[np.ndarray, " A"]:
    """The values at the places of weighted straight lines through the `nearest` points; their mean where all have one x."""
    distance = np.abs(x - at[:, None])
    reach = np.partition(distance, nearest - 1, axis=1)[:, nearest - 1, None]
    share = np.divide(distance, reach, out=np.where(distance > 0, np.inf, 0.0), where=reach > 0)
    tricube = np.where(share < 0.999, (1 - np.minimum(share, 1.0) ** 3) ** 3, 0.0)
    alone = tricube.sum(axis=1) <= 0  # every point in reach lies at its very edge
    tricube[alone] = distance[alone] <= reach[alone]
    weight = tricube * trust
    distrusted = weight.sum(axis=1) <= 0
    weight[distrusted] = tricube[distrusted]
    weight /= weight.sum(axis=1, keepdims=True)
    centre, mean = weight @ x, weight @ y
    off = x - centre[:, None]
    spread = (weight * off**2).sum(axis=1)
    flat = spread <= (1e-3 * reach[:, 0]) ** 2
    slope = np.where(flat, 0.0, (weight * off) @ y / np.where(flat, 1.0, spread))
    return np.asarray(mean + slope * (at - centre))


def local_average(
    x: Float[np.ndarray, " N"],
    y: Float[np.ndarray, " N"],
    at: Float[np.ndarray, " A"],
    *,
    half_width: float,
    fewest: int = 20,
) -> Float[np.ndarray, " A"]:
    """The mean of all points within `half_width` of each place, ends included; of the `fewest` nearest where those are more.

    Huang et al. 2024 (arXiv 2409.17407), section 3.1, with their minimum of 20 points. Their code leaves a pair as it is
    where one side has fewer; here the window widens, so that every reward is treated alike.
    """
    fewest = min(fewest, x.size)
    means = []
    for some in parts(at, x.size):
        distance = np.abs(x - some[:, None])
        reach = np.maximum(half_width, np.partition(distance, fewest - 1, axis=1)[:, fewest - 1, None])
        near = (distance <= reach).astype(np.float64)
        means.append(near @ y / near.sum(axis=1))
    return np.concatenate(means)
