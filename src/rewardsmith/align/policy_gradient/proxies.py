"""Reward models of the bench: small ensembles trained on preferences of the task, in a second."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from rewardsmith.align.policy_gradient.task import OrderRecord, OrderTask, counts_of

HIDDEN, STEPS, RATE, DECAY = 32, 150, 1e-2, 1e-3


@dataclass(frozen=True)
class SmallRewardModels:
    """M two-layer networks on how often each phrase is in the response, and in both prompt and response.

    Each learned from a bootstrap sample of the same preferences, from a start of its own.
    """

    task: OrderTask
    first: Float[Tensor, "M F H"]
    bias: Float[Tensor, "M 1 H"]
    second: Float[Tensor, "M H 1"]
    offset: Float[Tensor, "M 1"] | float = 0.0
    scale: float = 1.0

    def rewards(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "M B"]:
        """The rewards of every member."""
        raw = (torch.tanh(features @ self.first + self.bias) @ self.second)[..., 0]
        return (raw - self.offset) / self.scale

    def __call__(self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]) -> Float[Tensor, "M B"]:
        """The rewards of every member for responses of the task."""
        with torch.no_grad():
            return self.rewards(features_of(self.task, prompts, responses))


def features_of(
    task: OrderTask, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> Float[Tensor, "B F"]:
    """Counts of the response's phrases, those that are in the prompt as well, and the length, of which a tenth."""
    counts = counts_of(task, responses)
    shared = counts * (counts_of(task, prompts) > 0)
    length = counts.sum(axis=1, keepdims=True) / 10
    return torch.from_numpy(np.concatenate([counts, shared, length], axis=1))


def train_reward_models(task: OrderTask, data: Sequence[OrderRecord], *, members: int, seed: int) -> SmallRewardModels:
    """Bradley-Terry on the comparisons of `data`, member by member on a bootstrap sample of the prompts.

    Every member has mean 0 on the training responses, since Bradley-Terry leaves it open; all are divided by the standard
    deviation of their mean there, so that one KL coefficient serves all reward models.
    """
    prompts = [order.prompt for order in data for _ in order.responses]
    features = features_of(task, prompts, [response for order in data for response in order.responses])
    pairs, rows = pairs_of(data)
    generator = torch.Generator().manual_seed(seed)
    models = started(task, features.shape[1], members, generator)
    weights = torch.stack([bootstrap(len(data), generator)[rows] for _ in range(members)])
    parameters = [models.first, models.bias, models.second]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    for _ in range(STEPS):
        rewards = models.rewards(features)
        losses = -F.logsigmoid(rewards[:, pairs[:, 0]] - rewards[:, pairs[:, 1]])
        loss = ((losses * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    found = models.rewards(features).detach()
    first, bias, second = (parameter.detach() for parameter in parameters)
    scale = float(found.mean(dim=0).std().clamp(min=1e-6))
    return SmallRewardModels(task, first, bias, second, found.mean(dim=1, keepdim=True), scale)


def started(task: OrderTask, width: int, members: int, generator: torch.Generator) -> SmallRewardModels:
    """Members before training."""
    first = torch.randn(members, width, HIDDEN, generator=generator) * width**-0.5
    second = torch.randn(members, HIDDEN, 1, generator=generator) * HIDDEN**-0.5
    bias = torch.zeros(members, 1, HIDDEN)
    return SmallRewardModels(task, first.requires_grad_(), bias.requires_grad_(), second.requires_grad_())


def pairs_of(data: Sequence[OrderRecord]) -> tuple[Int[Tensor, "N 2"], Int[Tensor, " N"]]:
    """Preferred and other response of every comparison, among all responses in order, and the row each came from."""
    pairs, rows, start = [], [], 0
    for number, order in enumerate(data):
        for comparison in order.record.comparisons:
            pairs.append((start + comparison.i, start + comparison.j))
            rows.append(number)
        start += len(order.responses)
    return torch.tensor(pairs), torch.tensor(rows)


def bootstrap(count: int, generator: torch.Generator) -> Float[Tensor, " N"]:
    """How often each of `count` rows is drawn in a sample of `count` with replacement."""
    return torch.bincount(torch.randint(count, (count,), generator=generator), minlength=count).float()
