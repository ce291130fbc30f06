"""What is known of a step: one line of the log, and how it is measured."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.align.policy_gradient.rollout import Rollout


@dataclass(frozen=True)
class StepLog:
    """Means over the responses drawn in a step, before its update; NaN for what cannot be known.

    `reward` is what the policy is trained on, without KL penalty and cost; `proxy` the mean of the reward model's members;
    `gold` the gold reward, `gold_even` and `gold_odd` its means over every second prompt, `gold_se` the standard error of
    `gold` by prompt. `kl` is the KL divergence of whole responses from the reference policy in nats, `length` counts
    phrases, `entropy` is per phrase. `disagreement` is the mean standard deviation over the members, `agreement` what
    `member_agreement` gives, `length_correlation` the correlation of reward and length within prompts. `beyond` is the
    share of responses whose reward is above nearly all of the reward model's training responses, `distance` how far the
    responses are from these. `cost` and `multiplier` are those of the constraint.
    """

    step: int
    reward: float
    reward_std: float
    proxy: float
    gold: float
    gold_even: float
    gold_odd: float
    gold_se: float
    kl: float
    length: float
    entropy: float
    disagreement: float
    agreement: float
    length_correlation: float
    beyond: float
    distance: float
    cost: float
    multiplier: float
    clip_fraction: float = math.nan
    loss: float = math.nan

    def to_json(self) -> dict[str, Any]:
        """The fields by name, None for NaN."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def within_prompts(values: Float[Tensor, "M B"], group: int) -> Float[Tensor, "M B"]:
    """The values less their mean over the `group` responses to the same prompt, which stand beside each other."""
    grouped = values.reshape(len(values), -1, group)
    return (grouped - grouped.mean(dim=2, keepdim=True)).reshape(values.shape)


def member_agreement(rewards: Float[Tensor, "M B"], group: int) -> float:
    """The mean covariance of two members over the mean variance of one, within prompts: 1 where all members order the
    responses alike, 0 where their differences have nothing in common; NaN for a single member, or equal rewards.

    It estimates the share of the reward's variance that is signal: for members g + e_m with independent errors it is
    Var g / (Var g + Var e), and that is the slope of the gold reward on a member's reward among these responses
    (reliability, Spearman 1904). Errors that all members share are not seen.
    """
    members = len(rewards)
    centred = within_prompts(rewards.double(), group)
    variance = float((centred**2).mean())
    if members < 2 or variance < 1e-12:
        return math.nan
    of_mean = float((centred.mean(dim=0) ** 2).mean())
    return (members * of_mean - variance) / (members - 1) / variance


def correlation_within(one: Float[Tensor, " B"], other: Float[Tensor, " B"], group: int) -> float:
    """The Pearson correlation of two values within prompts, pooled; NaN where one of them does not vary."""
    a, b = within_prompts(torch.stack([one, other]).double(), group)
    scale = float((a @ a) * (b @ b)) ** 0.5
    return float(a @ b) / scale if scale > 1e-9 else math.nan


def gold_facts(gold: Sequence[float], group: int) -> dict[str, float]:
    """Mean gold reward, that of the even and odd prompts, and its standard error by prompt."""
    by_prompt = torch.tensor(gold, dtype=torch.float64).reshape(-1, group).mean(dim=1)
    return {
        "gold": float(by_prompt.mean()),
        "gold_even": float(by_prompt[::2].mean()),
        "gold_odd": float(by_prompt[1::2].mean()),
        "gold_se": float(by_prompt.std() / len(by_prompt) ** 0.5),
    }


def response_facts(rollout: Rollout) -> dict[str, float]:
    """KL divergence, length and entropy of the responses."""
    return {
        "kl": float(rollout.kl.sum(dim=1).mean()),
        "length": float(rollout.mask.sum(dim=1).mean()),
        "entropy": float(rollout.entropy.sum() / rollout.mask.sum()),
    }
