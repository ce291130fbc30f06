"""Which responses of a prompt are chosen by their rewards. Pure functions on arrays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.generate.candidates import seed_of
from rewardsmith.pipelines.best_of_n.config import Config
from rewardsmith.records import Conversation, Response


@dataclass(frozen=True)
class PromptCandidates:
    """A prompt with all its scored responses, in the order of the source: rewards, and gold ratings, NaN where unknown.

    `fields` are the other columns of its first row.
    """

    prompt: Conversation
    responses: Sequence[Response]
    rewards: Float[np.ndarray, " K"]
    gold: Float[np.ndarray, " K"]
    fields: Mapping[str, Any]
    place: str


def chosen_of(candidates: PromptCandidates, config: Config) -> list[int]:
    """The indices of the chosen responses, the best first; none where no reward reaches the threshold."""
    if config.method == "threshold":
        assert config.threshold is not None
        return [k for k in ranked(candidates.rewards) if candidates.rewards[k] >= config.threshold]
    if config.method == "best":
        return ranked(candidates.rewards)[: config.keep]
    rng = np.random.default_rng(seed_of(config.seed, candidates.prompt, 0))
    accepted = statistical_rejection(candidates.rewards, config.keep, beta=config.beta, rng=rng)
    return [k for k in ranked(candidates.rewards) if k in accepted]


def ranked(rewards: Float[np.ndarray, " K"]) -> list[int]:
    """Indices from the highest reward to the lowest, equal ones in their order."""
    return [int(k) for k in np.argsort(-rewards, kind="stable")]


def statistical_rejection(
    rewards: Float[np.ndarray, " K"], keep: int, *, beta: float, rng: np.random.Generator
) -> set[int]:
    """Indices of `keep` responses (all, where there are no more), drawn without replacement as if from
    pi(y) exp(r(y) / beta) / Z for candidates from pi.

    Statistical rejection sampling (RSO, Liu et al., arXiv 2309.06657, section 3.2 and algorithm 1): passes over those that
    are left, each accepted with probability exp((r - highest left) / beta), until there are enough.
    """
    left, accepted = list(range(len(rewards))), set[int]()
    while left and len(accepted) < keep:
        highest = max(rewards[k] for k in left)
        taken = set[int]()
        for k in left:
            if len(accepted) + len(taken) < keep and rng.random() < math.exp((rewards[k] - highest) / beta):
                taken.add(k)
        accepted |= taken
        left = [k for k in left if k not in taken]
    return accepted


def undesirable_of(rewards: Float[np.ndarray, " K"], chosen: Sequence[int]) -> list[int]:
    """As many of the lowest responses as were chosen, of those whose reward is below that of every chosen one."""
    if not chosen:
        return []
    lowest_chosen = min(rewards[k] for k in chosen)
    below = [k for k in reversed(ranked(rewards)) if rewards[k] < lowest_chosen]
    return below[: len(chosen)]
