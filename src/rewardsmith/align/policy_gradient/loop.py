"""The loop of a run: draw responses, reward them, log, and move the policy by PPO, GRPO or RLOO."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.align.policy_gradient.advantages import (
    generalised_advantages,
    group_advantages,
    leave_one_out,
    token_rewards,
    whitened,
)
from rewardsmith.align.policy_gradient.lagrangian import Lagrangian
from rewardsmith.align.policy_gradient.log import (
    StepLog,
    correlation_within,
    gold_facts,
    member_agreement,
    response_facts,
)
from rewardsmith.align.policy_gradient.losses import (
    clipped_surrogate,
    clipped_value_loss,
    k3,
    response_mean,
    token_mean,
)
from rewardsmith.align.policy_gradient.policy import Policy, prompt_features
from rewardsmith.align.policy_gradient.rollout import Rollout, roll_out, rows_of
from rewardsmith.align.policy_gradient.task import OrderTask

Algorithm = Literal["ppo", "grpo", "rloo"]
TokenRows = Sequence[Sequence[int]]


class MemberRewards(Protocol):
    """A reward model of M >= 1 members."""

    def __call__(self, prompts: TokenRows, responses: TokenRows) -> Float[Tensor, "M B"]:
        """The rewards of every member for the responses, in the tokens of the task."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How a policy is trained. `kl` is the coefficient of the KL penalty, `clip` the range of the probability ratio.

    A step draws `responses` responses to each of `prompts` prompts, and passes over them `epochs` times in `minibatches`
    parts. GRPO has the KL penalty in its loss (k3), PPO and RLOO in the reward.
    """

    algorithm: Algorithm = "grpo"
    steps: int = 60
    prompts: int = 32
    responses: int = 4
    lr: float = 5e-3
    kl: float = 0.02
    clip: float = 0.2
    epochs: int = 2
    minibatches: int = 2
    trace: float = 0.95
    value_weight: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Objective:
    """What the policy is rewarded with: the mean of the members less `std_weight` standard deviations over them, or the
    first member alone; and a cost that a Lagrange multiplier holds below its limit. `distance` measures responses against
    the reward model's training texts, and `highest` is the reward that nearly none of them exceeds.
    """

    members: MemberRewards
    std_weight: float = 0.0
    first_alone: bool = False
    cost: Callable[[TokenRows, TokenRows], Float[Tensor, " B"]] | None = None
    lagrangian: Lagrangian | None = None
    distance: Callable[[TokenRows], Float[Tensor, " B"]] | None = None
    highest: float = math.nan

    def reward(self, members: Float[Tensor, "M B"]) -> Float[Tensor, " B"]:
        """The reward of each response."""
        if self.first_alone:
            return members[0]
        spread = members.std(dim=0, correction=0) if len(members) > 1 else torch.zeros_like(members[0])
        return members.mean(dim=0) - self.std_weight * spread


def train_policy(
    task: OrderTask, reference: Policy, objective: Objective, prompts: TokenRows, settings: LoopSettings
) -> Iterator[StepLog]:
    """The log of a run, step by step; the reference is where the policy starts, and stays as it is."""
    generator = torch.Generator().manual_seed(settings.seed)
    policy = copy.deepcopy(reference)
    optimizer = torch.optim.Adam(policy.parameters(), lr=settings.lr)
    for step in range(settings.steps):
        drawn = torch.randperm(len(prompts), generator=generator)[: settings.prompts].tolist()
        asked = [prompts[k] for k in drawn]
        rollout = roll_out(
            policy, reference, prompt_features(task, asked), responses=settings.responses, generator=generator
        )
        log, reward = measured(task, objective, asked, rollout, step, settings.responses)
        loss, clipped = improve(policy, optimizer, rollout, reward, settings, generator)
        yield replace(log, loss=loss, clip_fraction=clipped)


def measured(
    task: OrderTask, objective: Objective, asked: TokenRows, rollout: Rollout, step: int, group: int
) -> tuple[StepLog, Float[Tensor, " B"]]:
    """What the step's responses are, and the reward that the policy gets for them; moves the multiplier."""
    prompts, responses = [prompt for prompt in asked for _ in range(group)], rollout.responses
    members = objective.members(prompts, responses)
    reward = used = objective.reward(members)
    cost, multiplier = torch.full((len(reward),), math.nan), math.nan
    if objective.cost is not None and objective.lagrangian is not None:
        cost, multiplier = objective.cost(prompts, responses), objective.lagrangian.multiplier
        used = objective.lagrangian.combined(reward, cost)
        objective.lagrangian.update(float(cost.mean()))
    gold = [task.gold(prompt, response) for prompt, response in zip(prompts, responses, strict=True)]
    distance = math.nan if objective.distance is None else float(objective.distance(responses).mean())
    spread = members.std(dim=0, correction=0).mean() if len(members) > 1 else math.nan
    log = StepLog(
        step=step,
        reward=float(reward.mean()),
        reward_std=float(reward.std()),
        proxy=float(members.mean()),
        **gold_facts(gold, group),
        **response_facts(rollout),
        disagreement=float(spread),
        agreement=member_agreement(members, group),
        length_correlation=correlation_within(reward, rollout.mask.sum(dim=1), group),
        beyond=math.nan if math.isnan(objective.highest) else float((reward > objective.highest).float().mean()),
        distance=distance,
        cost=float(cost.mean()),
        multiplier=float(multiplier),
    )
    return log, used


def improve(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    reward: Float[Tensor, " B"],
    settings: LoopSettings,
    generator: torch.Generator,
) -> tuple[float, float]:
    """Pass over the responses; (mean loss, share of tokens whose ratio was clipped)."""
    advantages, returns = advantages_of(rollout, reward, settings)
    losses, clipped = [], []
    for _ in range(settings.epochs):
        order = torch.randperm(len(reward), generator=generator)
        for rows in order.chunk(settings.minibatches):
            part = rows_of(rollout, rows)
            logps, values = policy(part.prompt, part.tokens)
            logps = logps.gather(-1, part.tokens[..., None])[..., 0]
            loss = step_loss(logps, values, part, advantages[rows], returns[rows], settings)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            outside = ((logps.detach() - part.logps).exp() - 1).abs() > settings.clip
            clipped.append(float(token_mean(outside.float(), part.mask)))
    return sum(losses) / len(losses), sum(clipped) / len(clipped)


def advantages_of(
    rollout: Rollout, reward: Float[Tensor, " B"], settings: LoopSettings
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """(advantages, returns) of every token by the algorithm; GRPO and RLOO have no returns, and zeros stand for them."""
    divergence = (rollout.logps - rollout.reference) * rollout.mask
    if settings.algorithm == "ppo":
        rewards = token_rewards(reward, divergence, rollout.mask, kl=settings.kl)
        found, returns = generalised_advantages(rewards, rollout.values, rollout.mask, trace=settings.trace)
        return whitened(found, rollout.mask), returns
    if settings.algorithm == "rloo":
        reward = reward - settings.kl * divergence.sum(dim=1)
        by_response = leave_one_out(reward.reshape(-1, settings.responses)).reshape(-1)
    else:
        by_response = group_advantages(reward.reshape(-1, settings.responses)).reshape(-1)
    return by_response[:, None].expand_as(rollout.mask), torch.zeros_like(rollout.mask)


def step_loss(
    logps: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    part: Rollout,
    advantages: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    settings: LoopSettings,
) -> Tensor:
    """The loss of some responses: PPO's with its value loss, GRPO's with k3, RLOO's clipped surrogate."""
    surrogate = clipped_surrogate(logps, part.logps, advantages, clip=settings.clip)
    if settings.algorithm == "grpo":
        return response_mean(surrogate + settings.kl * k3(logps, part.reference), part.mask)
    if settings.algorithm == "rloo":
        return (surrogate * part.mask).sum(dim=1).mean()
    value_loss = clipped_value_loss(values, part.values, returns, clip=settings.clip)
    return token_mean(surrogate + settings.value_weight * value_loss, part.mask)
