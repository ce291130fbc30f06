"""Accuracy over the number of training records: laws through measured points, and how far they can be trusted.

Each law is a - b x(n), x falling towards 0 with one parameter: a power of n, a hyperbola or an exponential. Learning
curves follow powers often, and not always (Figueroa et al. 2012, BMC Med. Inform. Decis. Mak. 12:8; Viering & Loog 2022,
arXiv 2103.10948), and laws that agree on the points disagree beyond them. So what is said beyond is a mixture of the laws by
their likelihood (Akaike weights: Burnham & Anderson 2002, section 2.9; all have three parameters).

Two sources of chance enter the intervals: other test prompts, which all points share and which are therefore drawn once for
all of them, and other seeds (data drawn, order, head), which each point has for itself.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.errors import DataError
from rewardsmith.evaluate.inference.interval import Interval, cluster_index
from rewardsmith.evaluate.inference.resampling import resampled_counts
from rewardsmith.evaluate.inference.significance import Equivalence, equivalence

GRID = 40
"""Values of a law's parameter that are tried, evenly in their logarithms."""

DRAWS = 2000
"""Draws of prompts and seeds; the ends of a 95 % interval rest on 50 each."""

FURTHEST = 4.0
"""Times the largest measured size beyond which nothing is said."""

FEWEST_SIZES, FEWEST_SEEDS, NARROWEST = 4, 2, 4.0
"""Sizes, seeds of each size, and largest over smallest size that an extrapolation needs: a law of three parameters passes
through any three points, and one seed does not tell what seeds do."""

UNFIT = 0.01
"""No law fits where points scatter around the best one this far, or farther, in so small a share of draws."""

POOLED = 4.0
"""Seeds that the pooled variance counts for beside a size's own, since each size has few."""

RIDGE = 1e-3
"""Added to the correlation matrix of the points, so that its inverse does not rest on rounding."""

Refusal = Literal["few_sizes", "few_seeds", "narrow", "no_law_fits", "backtest_missed"]
"""Why nothing is extrapolated."""

Law = Literal["power", "hyperbola", "exponential"]
LawShape = Callable[[Float[np.ndarray, "..."], Float[np.ndarray, "..."]], Float[np.ndarray, "..."]]

SHAPES: Mapping[Law, tuple[LawShape, Callable[[Float[np.ndarray, " K"]], tuple[float, float]]]] = {
    "power": (lambda n, c: n**-c, lambda size: (0.02, 2.0)),
    "hyperbola": (lambda n, h: 1 / (1 + n / h), lambda size: (float(size[0]) / 4, float(size[-1]))),
    "exponential": (lambda n, h: np.exp(-n / h), lambda size: (float(size[0]) / 4, float(size[-1]))),
}
"""x(n) with its parameter, and the range of the parameter for these sizes. A power near 0 is a straight line in log n."""


@dataclass(frozen=True, eq=False)
class FittedLaw:
    """a - b x(n; parameter) for one or several draws, each array of shape (B,); `error` is the squared error of the fit, in
    standard errors."""

    name: Law
    a: Float[np.ndarray, " B"]
    b: Float[np.ndarray, " B"]
    parameter: Float[np.ndarray, " B"]
    error: Float[np.ndarray, " B"]

    def at(self, size: Float[np.ndarray, " S"]) -> Float[np.ndarray, "B S"]:
        """The accuracies at these sizes > 0, cut to [0, 1]."""
        x = SHAPES[self.name][0](size[None, :], self.parameter[:, None])
        return np.asarray(np.clip(self.a[:, None] - self.b[:, None] * x, 0.0, 1.0))


def fit_law(
    name: Law, size: Float[np.ndarray, " K"], accuracy: Float[np.ndarray, "B K"], precision: Float[np.ndarray, "K K"]
) -> FittedLaw:
    """The law with the lowest error r' P r of the residuals r, P the inverse covariance of the points; b >= 0.

    For each value of the parameter a and b are linear (generalised least squares); where b < 0 the line is flat.
    """
    shape, range_of = SHAPES[name]
    parameter = np.geomspace(*range_of(size), GRID)
    x = shape(size[None, :], parameter[:, None])
    ones = precision.sum(axis=0)
    total, along = float(ones.sum()), x @ ones
    own = ((x @ precision) * x).sum(axis=1)
    level, slope = accuracy @ ones, accuracy @ precision @ x.T
    b = np.maximum(0.0, (along * level[:, None] / total - slope) / np.maximum(own - along**2 / total, 1e-300))
    a = (level[:, None] + b * along) / total
    residual = accuracy[:, None, :] - (a[:, :, None] - b[:, :, None] * x)
    error = np.einsum("bgk,kl,bgl->bg", residual, precision, residual)
    best = error.argmin(axis=1)
    row = np.arange(len(accuracy))
    return FittedLaw(name, a[row, best], b[row, best], parameter[best], error[row, best])


class Gain(NamedTuple):
    """The accuracy at `size` records minus that at the largest measured size; `accuracy` is the one at `size`."""

    size: int
    value: float
    interval: Interval
    accuracy: float
    accuracy_interval: Interval
    status: Equivalence


class Backtest(NamedTuple):
    """The accuracy at the largest size as the smaller ones alone predict it, and as it was measured."""

    size: int
    predicted: float
    interval: Interval
    measured: float

    @property
    def missed(self) -> bool:
        """Whether the interval of the difference between measured and predicted leaves out 0."""
        return 0.0 not in self.interval


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Measured accuracies by size, ascending, and draws of them over other prompts and seeds, shape (B, K).

    `seeds` counts the runs of each size, `seed_sd` is the standard deviation of one run around its size's mean (NaN where
    no size has two runs), `clusters` the test prompts.
    """

    size: Float[np.ndarray, " K"]
    accuracy: Float[np.ndarray, " K"]
    seeds: Int[np.ndarray, " K"]
    seed_sd: Float[np.ndarray, " K"]
    draws: Float[np.ndarray, "B K"]
    clusters: int

    @cached_property
    def precision(self) -> Float[np.ndarray, "K K"]:
        """The inverse covariance of the points over the draws."""
        covariance = np.cov(self.draws.T)
        spread = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        scaled = covariance / np.outer(spread, spread)
        return np.asarray(np.linalg.inv((scaled + RIDGE * np.eye(spread.size)) * np.outer(spread, spread)))

    @cached_property
    def fits(self) -> dict[Law, FittedLaw]:
        """Each law through the points as measured, arrays of shape (1,)."""
        return {name: fit_law(name, self.size, self.accuracy[None], self.precision) for name in SHAPES}

    @cached_property
    def drawn(self) -> dict[Law, FittedLaw]:
        """Each law through the draws."""
        return {name: fit_law(name, self.size, self.draws, self.precision) for name in SHAPES}

    @cached_property
    def weights(self) -> dict[Law, float]:
        """Akaike weights of the laws; they add up to 1."""
        error = np.array([fit.error[0] for fit in self.fits.values()])
        share = np.exp(-(error - error.min()) / 2)
        return dict(zip(self.fits, (share / share.sum()).tolist(), strict=True))

    def at(self, size: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """The accuracies at these sizes, the laws by their weights."""
        return np.asarray(sum(self.weights[name] * fit.at(size)[0] for name, fit in self.fits.items()))

    def drawn_at(self, size: Float[np.ndarray, " S"]) -> Float[np.ndarray, "B S"]:
        """Draws of it: of each draw that law whose turn it is by the weights, in a fixed order."""
        ends = np.cumsum([self.weights[name] for name in self.drawn])
        turn = np.searchsorted(ends[:-1], (np.arange(len(self.draws)) + 0.5) / len(self.draws))
        of_law = np.stack([fit.at(size) for fit in self.drawn.values()])
        return np.asarray(of_law[turn, np.arange(len(self.draws))])

    def point_intervals(self) -> list[Interval]:
        """The 95 % interval of the accuracy at each measured size, over other prompts and seeds."""
        return [around(value, column, self.clusters) for value, column in zip(self.accuracy, self.draws.T, strict=True)]

    def refusal(self) -> Refusal | None:
        """Why nothing can be said about sizes that were not measured, None where it can."""
        if self.size.size < FEWEST_SIZES:
            return "few_sizes"
        if self.seeds.min() < FEWEST_SEEDS:
            return "few_seeds"
        if self.size[-1] / self.size[0] < NARROWEST:
            return "narrow"
        if self.share_worse() < UNFIT:
            return "no_law_fits"
        backtest = self.backtest()
        return "backtest_missed" if backtest is not None and backtest.missed else None

    def share_worse(self) -> float:
        """In what share of draws around the best law points lie as far from a law of its kind as the measured ones do."""
        best = min(self.fits.values(), key=lambda fit: fit.error[0])
        around_law = best.at(self.size) + self.draws - self.accuracy
        worse = fit_law(best.name, self.size, around_law, self.precision).error >= best.error[0]
        return float(worse.mean())

    def backtest(self) -> Backtest | None:
        """The largest size predicted from the others; None where fewer than three others are there."""
        if self.size.size < FEWEST_SIZES:
            return None
        without = LearningCurve(
            self.size[:-1], self.accuracy[:-1], self.seeds[:-1], self.seed_sd[:-1], self.draws[:, :-1], self.clusters
        )
        predicted = float(without.at(self.size[-1:])[0])
        measured = float(self.accuracy[-1])
        drawn = self.draws[:, -1] - without.drawn_at(self.size[-1:])[:, 0]
        return Backtest(int(self.size[-1]), predicted, around(measured - predicted, drawn, self.clusters), measured)

    def gain(self, size: int, *, bound: float) -> Gain:
        """What `size` records would give beyond the largest measured size; `bound` is the smallest gain that matters.

        DataError beyond FURTHEST times that size.
        """
        last = float(self.size[-1])
        if not last < size <= FURTHEST * last:
            raise DataError(
                f"{size} records cannot be extrapolated from {int(last)}; expected more than that, and at most "
                f"{FURTHEST:g} times as many"
            )
        sizes = np.array([last, float(size)])
        now, there = self.at(sizes).tolist()
        drawn = self.drawn_at(sizes)
        difference = around(there - now, drawn[:, 1] - drawn[:, 0], self.clusters)
        accuracy = around(there, drawn[:, 1], self.clusters)
        return Gain(size, there - now, difference, there, accuracy, equivalence(difference, bound))


def around(value: float, draws: Float[np.ndarray, " B"], clusters: int) -> Interval:
    """The percentile interval of draws; it contains the value."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(min(float(low), value), max(float(high), value), "bootstrap", clusters, float(draws.std(ddof=1)))


def learning_curve(
    size: Sequence[int],
    right: Float[np.ndarray, "R N"],
    weight: Float[np.ndarray, " N"],
    *,
    cluster: Int[np.ndarray, " N"],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> LearningCurve:
    """From R runs: the training records of each, and how right it is on each of the same N comparisons, in [0, 1].

    Runs of the same size are seeds of it. DataError where there are fewer than two sizes.
    """
    sizes, run = np.unique(np.array(size, dtype=np.float64), return_inverse=True)
    run = run.reshape(-1)
    if sizes.size < 2:
        raise DataError(f"a learning curve needs two sizes or more; got {sizes.size}")
    index, clusters = cluster_index(cluster)
    total = np.bincount(index, weight, clusters)
    sums = np.array([np.bincount(index, weight * row, clusters) for row in right])
    seeds = np.bincount(run)
    of_run = sums.sum(axis=1) / total.sum()
    accuracy = np.bincount(run, of_run) / seeds
    by_size = np.array([sums[run == number].mean(axis=0) for number in range(sizes.size)])
    seed_sd, degrees = seed_spread(of_run - accuracy[run], run, seeds)
    over_prompts = np.concatenate(
        [(counts @ by_size.T) / (counts @ total)[:, None] for counts in resampled_counts(clusters, draws, rng=rng)]
    )
    return LearningCurve(
        sizes, accuracy, seeds, seed_sd, over_prompts + seed_noise(seed_sd, seeds, degrees, draws, rng), clusters
    )


def seed_spread(
    residual: Float[np.ndarray, " R"], run: Int[np.ndarray, " R"], seeds: Int[np.ndarray, " K"]
) -> tuple[Float[np.ndarray, " K"], int]:
    """(standard deviation of one run at each size, degrees of freedom of the pooled variance).

    A size's own variance and the pooled one, which counts for POOLED seeds, together; NaN without two runs of any size.
    """
    degrees = int((seeds - 1).sum())
    if degrees == 0:
        return np.full(seeds.size, math.nan), 0
    squares = np.bincount(run, residual**2)
    pooled = float(squares.sum()) / degrees
    return np.sqrt((squares + POOLED * pooled) / (seeds - 1 + POOLED)), degrees


def seed_noise(
    seed_sd: Float[np.ndarray, " K"], seeds: Int[np.ndarray, " K"], degrees: int, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "B K"]:
    """What other seeds would change at each size: Student's t with the degrees of the pooled variance; 0 where unknown.

    Resampling three seeds would show two thirds of their variance; this shows all of it, and that it is an estimate.
    """
    if degrees == 0:
        return np.zeros((draws, seeds.size))
    scale = np.sqrt(degrees / rng.chisquare(degrees, size=(draws, 1)))
    return np.asarray(rng.normal(size=(draws, seeds.size)) * scale * seed_sd / np.sqrt(seeds))
