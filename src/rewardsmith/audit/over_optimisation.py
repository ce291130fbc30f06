"""Best-of-N against gold ratings: how far the reward can be optimised before the ratings fall.

The n-th point of a curve is the expected value of the response that the reward ranks first among n of a prompt's K
responses, over all draws of n without replacement: the unbiased estimator of WebGPT (Nakano et al., arXiv 2112.09332,
appendix I), which Gao et al. (arXiv 2210.10760) use as well. With the responses in descending order of
reward the j-th is first with probability C(K - j, n - 1) / C(K, n).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.audit.effect import mean_with_interval
from rewardsmith.evaluate.metrics import kendall_tau_b
from rewardsmith.evaluate.statistics import RESAMPLES, cluster_index, resampled_counts

FEWEST_RESPONSES = 4
FEWEST_PROMPTS = 10
MOST_LEFT_ASIDE = 0.2
"""The curve ends at the largest n that at least all but this share of the prompts have responses for."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """A prompt's K responses: rewards, gold ratings, shape (K,), and the number of the prompt."""

    reward: Float[np.ndarray, " K"]
    gold: Float[np.ndarray, " K"]
    cluster: int


def kl_bound(n: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
    """ln n - (n - 1) / n in nats: the KL divergence of best-of-n from its policy where no two responses tie, and an upper
    bound of it otherwise (Beirami et al., arXiv 2401.01879, theorem 3.1)."""
    return np.asarray(np.log(n) - (n - 1) / n)


def first_probabilities(size: int, ns: Sequence[int]) -> Float[np.ndarray, "M K"]:
    """P(the j-th best of `size` is the best of n drawn without replacement), a row per n <= size."""
    table = np.zeros((len(ns), size))
    for row, n in enumerate(ns):
        whole = math.comb(size, n)
        table[row] = [math.comb(size - j, n - 1) / whole for j in range(1, size + 1)]
    return table


def expected_best(
    reward: Float[np.ndarray, " K"], value: Float[np.ndarray, " K"], probabilities: Float[np.ndarray, "M K"]
) -> Float[np.ndarray, " M"]:
    """The expected value of the best of n by reward, for each row of `probabilities`; ties are broken at random, so each
    response counts with the mean of those that tie with it."""
    order = np.argsort(-reward, kind="stable")
    _, group = np.unique(-reward[order], return_inverse=True)
    means = np.bincount(group, value[order]) / np.bincount(group)
    return np.asarray(probabilities @ means[group])


def curve_points(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, … and `most`."""
    points = {1, most}
    for power in range(most.bit_length()):
        points |= {2**power, 3 * 2**power}
    return sorted(n for n in points if n <= most)


def largest_n(sizes: Sequence[int]) -> int:
    """The largest n that all but MOST_LEFT_ASIDE of the prompts have responses for."""
    return int(sorted(sizes)[int(MOST_LEFT_ASIDE * len(sizes))]) if sizes else 0


def best_of_n_account(prompts: Sequence[Candidates], *, seed: int, bound: float) -> dict[str, Any]:
    """The curve of gold and reward over n, the fit of Gao et al. and the n and KL to stop at, with 95 % intervals by prompt.

    `recommended` is the smallest n that is not shown to be worse than the best n of the curve. `over_optimised` is found
    where gold falls from the peak to the end of the curve, excluded where a fall of `bound` standard deviations of the gold
    ratings within prompts can be ruled out, cannot_tell elsewhere.
    """
    most = largest_n([one.reward.size for one in prompts])
    used = [one for one in prompts if one.reward.size >= most]
    ns = curve_points(most)
    tables = {size: first_probabilities(size, ns) for size in {one.reward.size for one in used}}
    gold = np.array([expected_best(one.reward, one.gold, tables[one.reward.size]) for one in used])
    reward = np.array([expected_best(one.reward, one.reward, tables[one.reward.size]) for one in used])
    cluster = np.array([one.cluster for one in used])
    draws = resampled_means(np.hstack([gold, reward]), cluster, seed=seed)
    gold_draws, reward_draws = draws[:, : len(ns)], draws[:, len(ns) :]
    spread = pooled_sd([one.gold for one in used])
    return {
        "prompts": len(used),
        "left_aside": len(prompts) - len(used),
        "curve": points_of(ns, gold, reward, gold_draws, reward_draws),
        **stopping(ns, gold, cluster, gold_draws, bound=bound * spread),
        "gold_sd": spread,
        "fit": fit_account(ns, gold.mean(axis=0), gold_draws),
        "agreement": agreement(used, seed=seed),
    }


def pooled_sd(groups: Sequence[Float[np.ndarray, " K"]]) -> float:
    """The root of the mean variance within groups."""
    return math.sqrt(float(np.mean([values.var(ddof=1) for values in groups])))


def resampled_means(values: Float[np.ndarray, "P M"], cluster: np.ndarray, *, seed: int) -> Float[np.ndarray, "B M"]:
    """Means of the columns over resampled prompts."""
    index, clusters = cluster_index(cluster)
    sums = np.zeros((clusters, values.shape[1]))
    np.add.at(sums, index, values)
    sizes = np.bincount(index, minlength=clusters)
    rng = np.random.default_rng(seed)
    blocks = [(c @ sums) / (c @ sizes)[:, None] for c in resampled_counts(clusters, RESAMPLES, rng=rng)]
    return np.concatenate(blocks)


def points_of(
    ns: Sequence[int], gold: np.ndarray, reward: np.ndarray, gold_draws: np.ndarray, reward_draws: np.ndarray
) -> list[dict[str, Any]]:
    """The points of the curve."""
    kl = kl_bound(np.array(ns, dtype=np.float64))
    return [
        {
            "n": n,
            "kl": float(kl[k]),
            "gold": float(gold[:, k].mean()),
            "gold_ci": ends(gold_draws[:, k]),
            "reward": float(reward[:, k].mean()),
            "reward_ci": ends(reward_draws[:, k]),
        }
        for k, n in enumerate(ns)
    ]


def ends(draws: Float[np.ndarray, " B"]) -> list[float]:
    """The 2.5 % and 97.5 % quantiles; two NaN where there is nothing."""
    known = draws[~np.isnan(draws)]
    return [float(value) for value in np.quantile(known, [0.025, 0.975])] if known.size else [math.nan, math.nan]


def stopping(
    ns: Sequence[int], gold: np.ndarray, cluster: np.ndarray, draws: np.ndarray, *, bound: float
) -> dict[str, Any]:
    """The n and KL to stop at, and whether gold falls behind the best point of the curve."""
    mean = gold.mean(axis=0)
    best = int(mean.argmax())
    behind = [ends(draws[:, best] - draws[:, k])[0] > 0 for k in range(len(ns))]
    recommended = next(k for k in range(len(ns)) if k == best or not behind[k])
    peaks = np.array([ns[k] for k in draws.argmax(axis=1)])
    fall, interval = mean_with_interval(falls(gold, cluster), cluster)
    kl = kl_bound(np.array(ns, dtype=np.float64))
    if interval.low > 0:
        status = "found"
    else:
        status = "excluded" if interval.high < bound and interval.clusters >= FEWEST_PROMPTS else "cannot_tell"
    return {
        "recommended": {"n": ns[recommended], "kl": float(kl[recommended])},
        "peak": {"n": ns[best], "kl": float(kl[best]), "ci": ends(peaks)},
        "fall": {"value": fall, "ci": [interval.low, interval.high], "bound": bound},
        "over_optimised": status,
    }


def falls(gold: Float[np.ndarray, "P M"], cluster: np.ndarray) -> Float[np.ndarray, " P"]:
    """How far each prompt's gold falls from the peak of the curve to its end; the peak is that of the other half of the
    prompts, since the highest of several noisy points of the same data is always above the last."""
    half = cluster % 2 == 0
    fall = np.zeros(len(gold))
    for rows, others in ((half, ~half), (~half, half)):
        if rows.any() and others.any():
            fall[rows] = gold[rows, int(gold[others].mean(axis=0).argmax())] - gold[rows, -1]
    return fall


def fit_best_of_n(d: Float[np.ndarray, " M"], gain: Float[np.ndarray, "... M"]) -> Float[np.ndarray, "... 2"]:
    """(alpha, beta) of gain = d (alpha - beta d), least squares; d = sqrt(KL), gain over n = 1 (Gao et al., section 3.1)."""
    return least_squares(np.stack([d, -(d**2)], axis=1), gain)


def least_squares(columns: Float[np.ndarray, "M 2"], gain: Float[np.ndarray, "... M"]) -> Float[np.ndarray, "... 2"]:
    """The coefficients of the two columns that fit each row of gains best."""
    return np.asarray(gain @ np.linalg.pinv(columns).T)


def fit_account(ns: Sequence[int], mean: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    """The fit of best-of-n with intervals, its largest error, and the d at which it says that gold is highest."""
    if len(ns) < 4:
        return {}
    d = np.sqrt(kl_bound(np.array(ns, dtype=np.float64)))[1:]
    alpha, beta = fit_best_of_n(d, mean[1:] - mean[0])
    sampled = fit_best_of_n(d, draws[:, 1:] - draws[:, :1])
    gain = d * (alpha - beta * d)
    return {
        "form": "d*(alpha-beta*d)",
        "alpha": float(alpha),
        "alpha_ci": ends(sampled[:, 0]),
        "beta": float(beta),
        "beta_ci": ends(sampled[:, 1]),
        "largest_error": float(np.abs(gain - (mean[1:] - mean[0])).max()),
        "peak_kl": float((alpha / (2 * beta)) ** 2) if alpha > 0 and beta > 0 else math.nan,
    }


def agreement(prompts: Sequence[Candidates], *, seed: int) -> dict[str, Any]:
    """Within prompts: the reward's standard deviation, how many prompts have none, and Kendall's tau-b with gold."""
    constant = sum(float(np.ptp(one.reward)) < 1e-9 for one in prompts)
    taus = np.array([kendall_tau_b(one.gold, one.reward) for one in prompts])
    known = ~np.isnan(taus)
    cluster = np.array([one.cluster for one in prompts])
    draws = resampled_means(taus[known][:, None], cluster[known], seed=seed)[:, 0] if known.any() else np.zeros(0)
    return {
        "reward_sd": pooled_sd([one.reward for one in prompts]),
        "without_spread": constant,
        "kendall_tau": float(taus[known].mean()) if known.any() else math.nan,
        "kendall_tau_ci": ends(draws),
        "kendall_tau_prompts": int(known.sum()),
    }
