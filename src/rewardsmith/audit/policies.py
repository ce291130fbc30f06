"""Gold ratings of policies that were trained against the reward: how far RL may go before the ratings fall.

Gao et al. (arXiv 2210.10760, section 3.1) fit the gold reward of such policies as R_RL(d) = d (alpha - beta ln d) with
d = sqrt(KL(policy || initial policy)) and R(0) = 0 at the initial policy. Its highest point is at d = exp(alpha / beta - 1).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.audit.over_optimisation import ends, least_squares
from rewardsmith.errors import DataError
from rewardsmith.evaluate.statistics import RESAMPLES, resampled_counts
from rewardsmith.files.reading import read_lines

FEWEST_POLICIES = 3
"""Policies beside the initial one: two coefficients, and one more that can disagree with them."""

FEWEST_PROMPTS = 10
"""Prompts under which nothing is said about other prompts."""


@dataclass(frozen=True, eq=False)
class PolicyRatings:
    """R gold ratings: the policy's KL from the initial policy in nats, the rating, and the number of the prompt (None where
    a rating has no prompt: then no interval can be given)."""

    kl: Float[np.ndarray, " R"]
    gold: Float[np.ndarray, " R"]
    cluster: Int[np.ndarray, " R"] | None


def read_policies(path: Path) -> PolicyRatings:
    """The rows of a JSON Lines file: kl, gold, and prompt (a text or an id), where ratings are of single responses.

    DataError where a line lacks kl or gold, where no row has kl 0, or fewer than FEWEST_POLICIES others are there.
    """
    if not path.is_file():
        raise DataError(f"--policies {path}: no such file; expected JSON Lines with kl, gold and prompt")
    rows = [(line.row, line.place) for line in read_lines(path)]
    kl, gold = (np.array([value_of(row, name, place) for row, place in rows]) for name in ("kl", "gold"))
    if not (kl == 0).any():
        raise DataError(f"--policies {path}: no row has kl 0; expected ratings of the initial policy too")
    if (policies := len(np.unique(kl)) - 1) < FEWEST_POLICIES:
        raise DataError(
            f"--policies {path}: {policies} policies beside the initial one; expected {FEWEST_POLICIES} or more with "
            "different kl"
        )
    prompts = [row.get("prompt") for row, _ in rows]
    numbers: dict[str, int] = {}
    known = None if None in prompts else np.array([numbers.setdefault(str(p), len(numbers)) for p in prompts])
    return PolicyRatings(kl, gold, known)


def value_of(row: Mapping[str, Any], name: str, place: str) -> float:
    """A finite number of a row; a KL is at least 0."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{place}: {name} is {value!r}; expected a finite number")
    if name == "kl" and value < 0:
        raise DataError(f"{place}: kl is {value!r}; expected a number of nats >= 0")
    return float(value)


def policy_account(ratings: PolicyRatings, *, seed: int) -> dict[str, Any]:
    """The mean gold rating at each KL, the fit of Gao et al. and the KL to stop at, with 95 % intervals over prompts.

    `recommended` is the smallest KL that is not shown to be worse than the best one; without prompts, or with fewer than
    FEWEST_PROMPTS, intervals are null and it is the best one.
    """
    kls, index = np.unique(ratings.kl, return_inverse=True)
    mean = np.bincount(index, ratings.gold) / np.bincount(index)
    draws = resampled_ratings(ratings, index, len(kls), seed=seed)
    best = int(mean.argmax())
    behind = [draws is not None and ends(draws[:, best] - draws[:, k])[0] > 0 for k in range(len(kls))]
    stop = next(k for k in range(len(kls)) if k == best or not (draws is None or behind[k]))
    return {
        "policies": len(kls) - 1,
        "ratings": int(ratings.kl.size),
        "prompts": None if ratings.cluster is None else int(ratings.cluster.max()) + 1,
        "curve": [
            {"kl": float(kl), "gold": float(mean[k]), "gold_ci": None if draws is None else ends(draws[:, k])}
            for k, kl in enumerate(kls)
        ],
        "recommended": {"kl": float(kls[stop])},
        "peak": {"kl": float(kls[best])},
        "fit": fit_account(kls, mean, draws),
    }


def resampled_ratings(
    ratings: PolicyRatings, index: Int[np.ndarray, " R"], points: int, *, seed: int
) -> Float[np.ndarray, "B M"] | None:
    """Mean ratings at each KL over resampled prompts; None where prompts are unknown or too few.

    A draw in which a KL has no rating is left out.
    """
    if ratings.cluster is None or (prompts := int(ratings.cluster.max()) + 1) < FEWEST_PROMPTS:
        return None
    sums, counts = np.zeros((prompts, points)), np.zeros((prompts, points))
    np.add.at(sums, (ratings.cluster, index), ratings.gold)
    np.add.at(counts, (ratings.cluster, index), 1.0)
    rng = np.random.default_rng(seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.concatenate([(c @ sums) / (c @ counts) for c in resampled_counts(prompts, RESAMPLES, rng=rng)])
    return np.asarray(means[np.isfinite(means).all(axis=1)])


def fit_policy(d: Float[np.ndarray, " M"], gain: Float[np.ndarray, "... M"]) -> Float[np.ndarray, "... 2"]:
    """(alpha, beta) of gain = d (alpha - beta ln d), least squares, d > 0 (Gao et al., section 3.1)."""
    return least_squares(np.stack([d, -d * np.log(d)], axis=1), gain)


def fit_account(kls: np.ndarray, mean: np.ndarray, draws: np.ndarray | None) -> dict[str, Any]:
    """The fit with intervals, its largest error, and the KL at which it says that gold is highest.

    That KL is NaN where beta is not above 0, as the fit then has no highest point; `with_peak` is the share of resamples
    that have one, and its interval is over these.
    """
    d = np.sqrt(kls[1:])
    alpha, beta = fit_policy(d, mean[1:] - mean[0])
    sampled = None if draws is None else fit_policy(d, draws[:, 1:] - draws[:, :1])
    peaks = None if sampled is None else peak_kl(sampled[:, 0], sampled[:, 1])
    return {
        "form": "d*(alpha-beta*ln(d))",
        "alpha": float(alpha),
        "alpha_ci": None if sampled is None else ends(sampled[:, 0]),
        "beta": float(beta),
        "beta_ci": None if sampled is None else ends(sampled[:, 1]),
        "largest_error": float(np.abs(d * (alpha - beta * np.log(d)) - (mean[1:] - mean[0])).max()),
        "peak_kl": float(peak_kl(np.array([alpha]), np.array([beta]))[0]),
        "peak_kl_ci": None if peaks is None else ends(peaks),
        "with_peak": None if peaks is None else float(np.mean(~np.isnan(peaks))),
    }


def peak_kl(alpha: Float[np.ndarray, " B"], beta: Float[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    """exp(2 (alpha / beta - 1)), where the derivative alpha - beta - beta ln d is 0; NaN where beta is not above 0."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        found = np.exp(2 * (alpha / beta - 1))
    return np.where((beta > 0) & np.isfinite(found), found, np.nan)
