"""What the runs of a bench differ in: the objective that a seed's reward model makes for each name."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.align.policy_gradient.lagrangian import Lagrangian
from rewardsmith.align.policy_gradient.loop import MemberRewards, Objective, TokenRows
from rewardsmith.align.policy_gradient.novelty import Novelty, novelty_of
from rewardsmith.align.policy_gradient.policy import Policy, prompt_features, reference_policy
from rewardsmith.align.policy_gradient.proxies import train_reward_models
from rewardsmith.align.policy_gradient.rollout import sample
from rewardsmith.align.policy_gradient.task import (
    OrderRecord,
    OrderTask,
    chosen_responses,
    order_task,
    orders,
    scrambled,
)
from rewardsmith.errors import UsageError
from rewardsmith.pipelines.policy_bench.config import Config, ObjectiveName
from rewardsmith.pipelines.policy_bench.rewards import ModelOnTask
from rewardsmith.rewards.source import RewardSource

PROMPTS, PROMPT_SEED = 400, 100_000_000
"""Prompts that policies are trained on, and their seed, which no reward model's data has."""
SCALED_ON = 128
QUANTILE = 0.99
RATES = {"novelty": 20.0, "length": 0.5}
"""Step sizes of the multiplier by cost: the costs differ in their scale."""


@dataclass(frozen=True)
class PolicyTask:
    """What all runs share: the task, the reference policy, the prompts, and the MODEL under test, None for small ones."""

    task: OrderTask
    reference: Policy
    prompts: TokenRows
    source: RewardSource | None


def bench_of(config: Config, source: RewardSource | None) -> PolicyTask:
    """The task and its reference policy, the same for every seed."""
    task = order_task(config.language)
    prompts = [order.prompt for order in orders(task, PROMPTS, seed=PROMPT_SEED)]
    return PolicyTask(task, reference_policy(task, seed=0), prompts, source)


@dataclass(frozen=True)
class SeedModel:
    """The reward model of a seed: its members, how new a text is to it, and the reward that few of its own texts exceed."""

    members: MemberRewards
    count: int
    novelty: Novelty
    highest: float


def model_of(bench: PolicyTask, config: Config, seed: int) -> SeedModel:
    """The MODEL under test, or small ones trained on preferences of the seed."""
    if bench.source is not None:
        return tested(bench, bench.source)
    data = training_data(bench.task, config, seed)
    models = train_reward_models(bench.task, data, members=config.members, seed=seed)
    prompts = [order.prompt for order in data for _ in order.responses]
    return seed_model(models, config.members, prompts, [response for order in data for response in order.responses])


def training_data(task: OrderTask, config: Config, seed: int) -> list[OrderRecord]:
    """The preferences of a seed."""
    data = orders(task, config.preferences, seed=seed, flipped=config.flipped, padded=config.padded)
    extra = round(config.scrambled * config.preferences)
    return data + (scrambled(task, orders(task, extra, seed=seed + PROMPT_SEED // 2), seed=seed) if extra else [])


def tested(bench: PolicyTask, source: RewardSource) -> SeedModel:
    """The MODEL under test, on the scale of the reference policy's responses, which stand for its training texts as well."""
    generator = torch.Generator().manual_seed(0)
    asked = [bench.prompts[k % len(bench.prompts)] for k in range(SCALED_ON)]
    tokens = sample(bench.reference, prompt_features(bench.task, asked), generator)
    responses = chosen_responses(tokens.tolist())
    members = ModelOnTask(source, bench.task).scaled_on(asked, responses)
    return seed_model(members, len(members(asked[:1], responses[:1])), asked, responses)


def seed_model(members: MemberRewards, count: int, prompts: TokenRows, responses: TokenRows) -> SeedModel:
    """The model with what is known from these responses."""
    highest = float(np.quantile(members(prompts, responses).mean(dim=0).numpy(), QUANTILE))
    return SeedModel(members, count, novelty_of(responses), highest)


def names_of(config: Config, members: int) -> tuple[ObjectiveName, ...]:
    """The objectives to run; UsageError for an ensemble of one member."""
    if "ensemble" in config.objective and members < 2:
        raise UsageError("--objective ensemble needs a reward model with several members, and this one has one")
    every: tuple[ObjectiveName, ...] = (
        ("single", "ensemble", "constrained") if members > 1 else ("single", "constrained")
    )
    return config.objective or every


def objective_of(name: ObjectiveName, model: SeedModel, bench: PolicyTask, config: Config) -> Objective:
    """What a run rewards."""
    plain = Objective(model.members, distance=model.novelty, highest=model.highest)
    if name == "single":
        return replace(plain, first_alone=True)
    if name == "ensemble":
        return replace(plain, std_weight=config.std_weight)
    costs: dict[str, Callable[[TokenRows], Float[Tensor, " B"]]] = {
        "novelty": model.novelty,
        "length": lambda responses: extra_length(responses, bench.task.longest_clean),
    }
    cost = costs[config.cost]
    multiplier = Lagrangian(config.limit(), rate=RATES[config.cost])
    return replace(plain, cost=lambda _, responses: cost(responses), lagrangian=multiplier)


def extra_length(responses: TokenRows, enough: int) -> Float[Tensor, " B"]:
    """How many phrases each response has beyond `enough`."""
    return torch.tensor([float(max(0, len(response) - enough)) for response in responses])
