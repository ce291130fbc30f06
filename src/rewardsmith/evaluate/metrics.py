"""Point values of a reward model's quality.

One row per comparison: `margin` is the reward of the preferred response minus the reward of the other, `preference` in
[0.5, 1] the share of judges for the preferred one. 0.5 is a label tie: no side was preferred, so what counts right and
wrong leaves it out, and what compares probabilities takes it with the target 1/2. `weight` >= 0 scales a row
(None = all 1). Nothing to measure gives NaN, and a margin that is NaN gives NaN: never a number that looks measured.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

NLL_AT_CHANCE = float(np.log(2.0))
"""The negative log-likelihood of a model that gives all responses one reward: -log(1/2)."""


class Moments(NamedTuple):
    """Mean and population standard deviation (divided by n, not n - 1)."""

    mean: float
    std: float


def sigmoid(margin: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """P(preferred beats other) = 1 / (1 + exp(-margin)) (Bradley & Terry 1952), exact for margins of any size."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.exp(-np.logaddexp(0.0, -margin)))


def decided(preference: Float[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Whether the judges preferred a side."""
    return np.asarray(preference != 0.5)


def correctness(margin: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """1 where the preferred response has the higher reward, 1/2 where both have the same, 0 otherwise."""
    return np.asarray((np.sign(margin) + 1) / 2)


def nll_values(margin: Float[np.ndarray, " N"], preference: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """-t log p - (1 - t) log(1 - p), t = preference and p = sigma(margin), in nats (t = 1: Ouyang et al. 2022, eq. 1)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(preference * np.logaddexp(0.0, -margin) + (1 - preference) * np.logaddexp(0.0, margin))


def brier_values(margin: Float[np.ndarray, " N"], preference: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """(p - t)^2 with p = sigma(margin), t = preference: one term of Brier's (1950) two, so 1/4 at chance."""
    return np.asarray((sigmoid(margin) - preference) ** 2)


def weighted_mean(value: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"] | None = None) -> float:
    """sum w x / sum w; NaN where the weights add up to 0. Rows of weight 0 play no part, even if their value is NaN."""
    if weight is None:
        return float(value.mean()) if value.size else float("nan")
    used = weight > 0
    total = float(weight[used].sum())
    return float((value[used] * weight[used]).sum()) / total if total > 0 else float("nan")


def over_decided(
    value: Float[np.ndarray, " N"], preference: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"] | None
) -> float:
    """Weighted mean over the comparisons without a label tie."""
    rows = decided(preference)
    return weighted_mean(value[rows], None if weight is None else weight[rows])


def accuracy(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """Share of decided comparisons whose preferred response has the higher reward; equal rewards count one half.

    A constant model therefore scores 0.5. Label ties are left out. Equals win_rate + tie_rate / 2.
    """
    return over_decided(correctness(margin), preference, weight)


def win_rate(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """Share of decided comparisons whose margin is above 0; equal rewards are no win."""
    wins = np.where(np.isnan(margin), np.nan, (margin > 0).astype(np.float64))
    return over_decided(wins, preference, weight)


def tie_rate(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """Share of decided comparisons whose margin is exactly 0: identical texts, cut texts, or a constant model."""
    ties = np.where(np.isnan(margin), np.nan, (margin == 0).astype(np.float64))
    return over_decided(ties, preference, weight)


def nll(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """Mean negative log-likelihood in nats under Bradley-Terry, label ties with target 1/2; ln 2 at chance."""
    return weighted_mean(nll_values(margin, preference), weight)


def brier(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """Mean squared distance between sigma(margin) and the judges' share, label ties with target 1/2; in [0, 1]."""
    return weighted_mean(brier_values(margin, preference), weight)


def auc(
    preferred_reward: Float[np.ndarray, " N"],
    other_reward: Float[np.ndarray, " N"],
    *,
    weight: Float[np.ndarray, " N"] | None = None,
) -> float:
    """P(reward of a chosen response > reward of a rejected one), both drawn from anywhere; equal rewards one half.

    The area under the ROC curve (Hanley & McNeil 1982), pooled over prompts, in O(N log N). It is lower
    than the accuracy where rewards differ more between prompts than within them, which matters for one threshold over
    all prompts, not for ranking the answers to one. Pass decided comparisons only.
    """
    weight = np.ones(preferred_reward.size) if weight is None else weight
    total = float(weight.sum())
    if total <= 0:
        return float("nan")
    if np.isnan(preferred_reward).any() or np.isnan(other_reward).any():
        return float("nan")
    order = np.argsort(other_reward)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    left = np.searchsorted(other_reward[order], preferred_reward, side="left")
    right = np.searchsorted(other_reward[order], preferred_reward, side="right")
    return float(weight @ (below[left] + below[right])) / 2 / total**2


def moments(value: Float[np.ndarray, " N"], *, weight: Float[np.ndarray, " N"] | None = None) -> Moments:
    """Weighted mean and population standard deviation; NaN where there is nothing."""
    mean = weighted_mean(value, weight)
    return Moments(mean, float(np.sqrt(weighted_mean((value - mean) ** 2, weight))))


def rows_by_group(group: Int[np.ndarray, " N"]) -> list[Int[np.ndarray, " _"]]:
    """The row numbers of every group, groups in ascending order of their number, rows in input order."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order])) + 1
    return np.split(order, starts) if group.size else []


def kendall_tau_b(quality: Float[np.ndarray, " K"], reward: Float[np.ndarray, " K"]) -> float:
    """Kendall's tau-b between true quality (higher = better: a rating, or a rank negated) and reward, in [-1, 1].

    (concordant - discordant) / sqrt((pairs - ties in quality)(pairs - ties in reward)) (Kendall 1945). NaN
    where either side is constant. Memory grows with K^2.
    """
    above = np.triu_indices(quality.size, 1)
    true = np.sign(quality[above[0]] - quality[above[1]])
    predicted = np.sign(reward[above[0]] - reward[above[1]])
    return tau_of_signs(true, predicted)


def tau_of_signs(
    true: Float[np.ndarray, " P"], predicted: Float[np.ndarray, " P"], weight: Float[np.ndarray, " P"] | None = None
) -> float:
    """Tau-b from the order of each pair (-1, 0 = tie, 1), counted with its weight; NaN where either side has ties only."""
    weight = np.ones(true.size) if weight is None else weight
    scale = math.sqrt(float(weight @ np.abs(true)) * float(weight @ np.abs(predicted)))
    return float((weight * true) @ predicted) / scale if scale > 0 else float("nan")


def kendall_values(
    quality: Float[np.ndarray, " N"], reward: Float[np.ndarray, " N"], *, group: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " G"]:
    """Tau-b of each prompt (`group`, ascending); NaN for those with under three responses or all of one quality.

    With two responses tau is 1 or -1, which is 2 accuracy - 1 again. A prompt whose rewards are all the same counts 0.
    """
    return np.array(
        [
            tau_or_nothing_ranked(kendall_tau_b(quality[rows], reward[rows]))
            if rows.size >= 3 and np.ptp(quality[rows]) > 0
            else np.nan
            for rows in rows_by_group(group)
        ]
    )


def kendall_values_of_pairs(
    margin: Float[np.ndarray, " N"],
    preference: Float[np.ndarray, " N"],
    *,
    group: Int[np.ndarray, " N"],
    responses: Int[np.ndarray, "N 2"],
    weight: Float[np.ndarray, " N"] | None = None,
) -> Float[np.ndarray, " G"]:
    """Tau-b of each prompt (`group`, ascending) over the pairs that were compared, each counted with its weight.

    `responses` identifies the preferred and the other response of a row within its `group`. Where all pairs of a prompt
    were compared this is `kendall_values`; prompts with label ties only are NaN, constant rewards count 0.
    """
    weight = np.ones(margin.size) if weight is None else weight
    values = []
    for rows in rows_by_group(group):
        true = decided(preference[rows]).astype(np.float64)
        ranked = np.unique(responses[rows]).size >= 3 and (true * weight[rows]).any()
        tau = tau_of_signs(true, np.sign(margin[rows]).astype(np.float64), weight[rows]) if ranked else np.nan
        values.append(tau_or_nothing_ranked(tau) if ranked else np.nan)
    return np.array(values)


def tau_or_nothing_ranked(tau: float) -> float:
    """0 for a model that gives one reward to all responses: it ranked nothing, neither right nor wrong."""
    return 0.0 if np.isnan(tau) else tau


def best_of_n_values(
    quality: Float[np.ndarray, " N"], reward: Float[np.ndarray, " N"], *, group: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " G"]:
    """Of each prompt (`group`, ascending) 1 where its highest reward is that of the one best response, else 0.

    Prompts where two responses share the best quality, or with one response, are NaN. Where m responses share the
    highest reward and the best is among them, the prompt counts 1/m, so a constant model scores the mean of 1/K.
    """
    hits = []
    for rows in rows_by_group(group):
        best = np.flatnonzero(quality[rows] == quality[rows].max())
        chosen = reward[rows] == reward[rows].max()
        one = rows.size >= 2 and best.size == 1
        hits.append(float(chosen[best[0]]) / float(chosen.sum()) if one else np.nan)
    return np.array(hits)


def best_of_n_accuracy(
    quality: Float[np.ndarray, " N"], reward: Float[np.ndarray, " N"], *, group: Int[np.ndarray, " N"]
) -> float:
    """Share of prompts (`group`) whose highest reward is that of the one best response; see `best_of_n_values`."""
    return mean_of_known(best_of_n_values(quality, reward, group=group))


def mean_of_known(value: Float[np.ndarray, " G"]) -> float:
    """The mean without NaN; NaN for none."""
    known = value[~np.isnan(value)]
    return float(known.mean()) if known.size else float("nan")
