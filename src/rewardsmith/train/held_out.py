"""What a model does on validation, and what its loss is worth there and for equal rewards."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from rewardsmith.evaluate.metrics import accuracy, nll, over_decided
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.model.scorer import score
from rewardsmith.train.examples import Example
from rewardsmith.train.labels import labels_of
from rewardsmith.train.losses import LOSSES, Loss

ENOUGH = 1000
"""Records that tell what a loss is at equal rewards."""
CPU = torch.device("cpu")


def validation_figures(
    network: RewardNetwork,
    examples: Sequence[Example],
    budget: int,
    *,
    loss: Loss = LOSSES["bradley-terry"],
    team: Team = ALONE,
) -> dict[str, float]:
    """Loss, accuracy, mean margin and the rewards' mean and spread on the validation comparisons.

    `eval_loss` is the cross-entropy of Bradley-Terry whatever the loss, so that runs can be compared; under another loss
    `eval_objective` is its own value, by which the best weights are chosen. Accuracy and margin leave label ties out; they
    are NaN where there are no others.
    """
    rewards = list(score(network, [example.sequences for example in examples], budget=budget, team=team))
    pairs = list(zip(rewards, examples, strict=True))
    margin = np.concatenate([r[e.preferred] - r[e.other] for r, e in pairs])
    preference = np.concatenate([e.preference for e in examples]).astype(np.float64)
    weight = np.concatenate([e.weight for e in examples]).astype(np.float64)
    every = np.concatenate(rewards)
    own = {} if loss == LOSSES["bradley-terry"] else {"eval_objective": objective(loss, examples, every)}
    return {
        "eval_loss": nll(margin, preference, weight=weight),
        **own,
        "eval_accuracy": accuracy(margin, preference, weight=weight),
        "eval_margin": over_decided(margin, preference, weight),
        "eval_reward_mean": float(every.mean()),
        "eval_reward_std": float(every.std()),
    }


def objective(loss: Loss, examples: Sequence[Example], rewards: Float[np.ndarray, " R"]) -> float:
    """The loss of these rewards, one for each response of the examples in order, as one step of all of them."""
    labels = labels_of(examples, CPU, loss.unit)
    values = (loss.held_out or loss.values)(torch.from_numpy(rewards).double(), labels)
    return float((labels.unit_weight * values).sum() / labels.unit_weight.sum())


def loss_at_equal_rewards(loss: Loss, examples: Sequence[Example]) -> float:
    """The loss of a model that gives every response the reward 0: ln 2 under Bradley-Terry."""
    some = examples[:ENOUGH]
    ratings = np.concatenate([example.ratings for example in some])  # one for each response
    return objective(loss, some, np.zeros_like(ratings))
