"""What choosing among n gains: the reward, the gold rating where there is one, and the KL divergence that it costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rewardsmith.audit.effect import mean_with_interval
from rewardsmith.audit.over_optimisation import (
    FEWEST_PROMPTS,
    FEWEST_RESPONSES,
    Candidates,
    best_of_n_account,
    curve_points,
    expected_best,
    first_probabilities,
    kl_bound,
    largest_n,
)
from rewardsmith.pipelines.best_of_n.selection import PromptCandidates

BOUND = 0.2
"""Standard deviations of gold within prompts below which a fall does not matter (as `audit` has it by default)."""


def reward_curve(prompts: Sequence[PromptCandidates]) -> list[dict[str, Any]]:
    """For n = 1, 2, 3, 4, 6, … the expected reward of the best of n (see `audit.over_optimisation`) with its interval, and
    the bound of the KL divergence. Prompts with fewer responses than the largest n are left aside."""
    most = largest_n([len(one.rewards) for one in prompts])
    used = [one for one in prompts if len(one.rewards) >= most]
    ns = curve_points(most)
    values = np.array([expected_best(p.rewards, p.rewards, first_probabilities(len(p.rewards), ns)) for p in used])
    kl = kl_bound(np.array(ns, dtype=np.float64))
    points = []
    for k, n in enumerate(ns):
        mean, interval = mean_with_interval(values[:, k], np.arange(len(used)))
        points.append({"n": n, "kl": float(kl[k]), "reward": mean, "reward_ci": [interval.low, interval.high]})
    return points


def gold_account(prompts: Sequence[PromptCandidates], *, seed: int) -> dict[str, Any] | None:
    """The account of `audit` where gold ratings are known for enough responses, else None."""
    rated = [
        Candidates(one.rewards, one.gold, number)
        for number, one in enumerate(prompts)
        if len(one.rewards) >= FEWEST_RESPONSES and not np.isnan(one.gold).any()
    ]
    return best_of_n_account(rated, seed=seed, bound=BOUND) if len(rated) >= FEWEST_PROMPTS else None
