"""How many labels are wrong, from how often detectors agree with them at each size of margin.

Bradley and Terry with labels that were turned round by accident at a rate e (logistic regression with label noise:
Bootkrajang & Kaban 2012, "Label-noise robust logistic regression and its applications", eq. 3, both rates equal since
which side of a pair comes first means nothing):

    P(label agrees with the detectors | m) = (1 - e) s(z) + e s(-z),     z = sign(m) a |m|^p
    P(label is wrong | m, label)           = s(log(e / (1 - e)) - z)

with s the logistic function and m the margin of the labelled side. The slope a and the power p are free: how fast a
detector's errors die out as its margins grow is not known, and with p fixed at 1 the heavy tails of real margins look
like wrong labels.

The interval holds every rate whose likelihood, at its best slope and power, is not far under the best of all (profile
likelihood, Wilks 1938; powers far from 1 cost likelihood, POWER_SPREAD). Labels of one prompt that err together count
as fewer (design effect, Kish 1965).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.evaluate.statistics import FEW_CLUSTERS, Interval, effective_size, no_interval

STEP = 0.005
RATES = np.arange(0.0, 0.4951, STEP)
"""The noise rates that are tried; at one half a label says nothing."""

SLOPES = np.concatenate([[0.0], np.geomspace(0.05, 50.0, 40)])
"""Slopes a that are tried, on margins of root mean square 1."""

POWERS = np.array([0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0])
"""Powers p that are tried."""

POWER_SPREAD = 0.45
"""log p is believed to be normal around 0 with this standard deviation: p is 1 for margins that are log odds."""

BINS = 100
CRITICAL = 3.841
"""The 0.95 quantile of chi-square with one degree of freedom."""

PRIOR = RATES * (1 - RATES) ** 7
"""What is believed of the rate before anything is seen, up to a factor: Beta(2, 8), with the mean 0.2.

People who compare answers agree with each other in 63 to 77 % of cases (Bai et al. 2022, section 3.4.1; Ouyang et al.
2022, section 3.4), and 20 to 30 % of HH's labels are put down as wrong or unclear (Wang et al. 2024, section 2).
"""

TINY = 1e-300

LEAST_MASS = 1e-4
"""Points of the grid that are believed less than this share of the likeliest one are left out."""

CHUNK = 2_000_000


@dataclass(frozen=True, eq=False)
class Belief:
    """Which rates, slopes and powers are how probable, given prior and margins; shape (G,) each, `mass` adds up to 1."""

    rate: Float[np.ndarray, " G"]
    slope: Float[np.ndarray, " G"]
    power: Float[np.ndarray, " G"]
    mass: Float[np.ndarray, " G"]

    @property
    def expected_rate(self) -> float:
        """The mean rate: what the data say of it, and the prior where they say nothing."""
        return float(self.mass @ self.rate)

    def wrong(self, margin: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """P(the label is wrong) by the margin of its side, shape (N,): the mean over all that is believed."""
        found = np.empty(len(margin))
        for start in range(0, len(margin), size := max(1, CHUNK // self.mass.size)):
            part = margin[start : start + size, None]
            z = np.sign(part) * self.slope * np.abs(part) ** self.power
            found[start : start + size] = wrong_probability(z, self.rate) @ self.mass
        return found


class WrongShare(NamedTuple):
    """What is known of the rate: the one of greatest likelihood, its 95 % interval, and what is believed."""

    rate: float
    interval: Interval
    belief: Belief


def wrong_probability(z: Float[np.ndarray, "*N"], rate: float | Float[np.ndarray, "*N"]) -> Float[np.ndarray, "*N"]:
    """P(label is wrong) = s(log(rate / (1 - rate)) - z) for log-odds z of the labelled side; 0 at rate 0."""
    with np.errstate(divide="ignore"):
        return sigmoid(np.log(rate) - np.log1p(-np.asarray(rate)) - z)


def share_of_wrong(
    margin: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"],
    index: Int[np.ndarray, " N"],
    clusters: int,
) -> WrongShare:
    """The share of wrong labels, from the margins of the labelled sides (root mean square 1) and their prompts."""
    used = (margin != 0) & (weight > 0)
    margin, weight, index = margin[used], weight[used], index[used]
    table = log_likelihood(margin, weight)
    best = first_of_best(table - penalty()[None, :, None])
    rate, power, slope = (values[at] for values, at in zip((RATES, POWERS, SLOPES), best, strict=True))
    expected = rate + (1 - 2 * rate) * sigmoid(slope * np.abs(margin) ** power)
    table = table * evidence((margin > 0) - expected, weight, index) - penalty()[None, :, None]
    return WrongShare(float(rate), interval_of(table, clusters), belief_of(table))


def log_likelihood(margin: np.ndarray, weight: np.ndarray) -> Float[np.ndarray, "R P S"]:
    """The log-likelihood of every rate, power and slope, with margins in bins of about equal size."""
    size = np.abs(margin)
    edges = np.unique(np.quantile(size, np.linspace(0, 1, BINS + 1), method="inverted_cdf")) if size.size else size
    bins = np.searchsorted(edges, size)
    total = np.bincount(bins, minlength=edges.size)
    middle = np.bincount(bins, size, minlength=edges.size) / np.maximum(total, 1)
    agree = np.bincount(bins, weight * (margin > 0), minlength=edges.size)
    against = np.bincount(bins, weight * (margin < 0), minlength=edges.size)
    sure = sigmoid(SLOPES * (middle[:, None] ** POWERS)[:, :, None])
    found = np.zeros((RATES.size, POWERS.size, SLOPES.size))
    for at, rate in enumerate(RATES):
        kept = rate + (1 - 2 * rate) * sure
        found[at] = np.tensordot(agree, np.log(kept), 1) + np.tensordot(against, np.log(np.maximum(1 - kept, TINY)), 1)
    return found


def penalty() -> Float[np.ndarray, " P"]:
    """How much less each power is believed than 1, on the scale of the log-likelihood."""
    return np.asarray((np.log(POWERS) / POWER_SPREAD) ** 2 / 2)


def first_of_best(table: np.ndarray) -> tuple[int, int, int]:
    """The place of the greatest likelihood; of equal ones that of the lowest rate."""
    top = table.max()
    # Where the data cannot tell two rates apart, rounding must not decide for the higher one.
    rate, power, slope = np.unravel_index(int(np.argmax(table >= top - 1e-9 * max(1.0, abs(top)))), table.shape)
    return int(rate), int(power), int(slope)


def evidence(residual: np.ndarray, weight: np.ndarray, index: np.ndarray) -> float:
    """By how much the likelihood of weighted, clustered rows overstates what they tell; 1 for plain, independent ones.

    Weights count as their effective number. Clusters whose residuals go together count as fewer rows: the variance of
    the weighted sum of residuals with clusters kept whole, over that of single rows, where that is above 1.
    """
    if not weight.size:
        return 1.0
    part = weight * residual
    whole, single = float((np.bincount(index, part) ** 2).sum()), float((part**2).sum())
    together = max(1.0, whole / single) if single > 0 else 1.0
    return effective_size(weight) / float(weight.sum()) / together


def interval_of(table: Float[np.ndarray, "R P S"], clusters: int) -> Interval:
    """The rates whose likelihood is near the best, and one step above; by Student's t under FEW_CLUSTERS."""
    if clusters < 2:
        return no_interval(clusters)
    from scipy.special import stdtrit

    critical = CRITICAL if clusters >= FEW_CLUSTERS else float(stdtrit(clusters - 1, 0.975)) ** 2
    inside = RATES[2 * (table.max() - table.max(axis=(1, 2))) <= critical]
    return Interval(float(inside[0]), min(0.5, float(inside[-1]) + STEP), "likelihood", clusters)


def belief_of(table: Float[np.ndarray, "R P S"]) -> Belief:
    """Rates, powers and slopes with what is believed of each: PRIOR for the rate, all slopes alike."""
    with np.errstate(divide="ignore"):
        told = table + np.log(PRIOR)[:, None, None]
    mass = np.exp(told - told.max())
    kept = mass > LEAST_MASS
    rate, power, slope = (values[at] for values, at in zip((RATES, POWERS, SLOPES), np.nonzero(kept), strict=True))
    return Belief(rate, slope, power, mass[kept] / mass[kept].sum())
