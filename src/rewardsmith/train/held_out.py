"""What a model does on validation, and what its loss is worth there and for equal rewards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from rewardsmith.evaluate.metrics import accuracy, nll, over_decided
from rewardsmith.model.forward.batches import Batch
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.heads.extra import extra_of
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.model.scorer import computed, finite, score
from rewardsmith.train.examples import Example
from rewardsmith.train.labels import labels_of
from rewardsmith.train.losses import LOSSES, Loss

ENOUGH = 1000
"""Records that tell what a loss is at equal rewards."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class ValidationPass:
    """What one pass over the validation set found after `step` steps, `epoch` passes over the training data.

    `figures` are those of `metrics.jsonl`; `margin`, `preference` and `weight` belong to its comparisons in order, and
    `prompt_ids` says which of them share a prompt. `rewards` are those of each example's responses, in order.
    """

    step: int
    epoch: float
    figures: dict[str, float]
    margin: Float[np.ndarray, " N"]
    preference: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    prompt_ids: tuple[str, ...]
    rewards: tuple[Float[np.ndarray, " _"], ...] = ()


Watch = Callable[[ValidationPass], None]
"""Hears of every validation pass once its checkpoint is on disk; what it raises ends the training."""


def validate(
    network: RewardNetwork,
    examples: Sequence[Example],
    budget: int,
    *,
    loss: Loss = LOSSES["bradley-terry"],
    step: int = 0,
    epoch: float = 0.0,
    team: Team = ALONE,
) -> ValidationPass:
    """Loss, accuracy, mean margin and the rewards' mean and spread on the validation comparisons, and their margins.

    `eval_loss` is the cross-entropy of Bradley-Terry whatever the loss, so that runs can be compared; under another loss
    `eval_objective` is its own value, by which the best weights are chosen. Accuracy and margin leave label ties out; they
    are NaN where there are no others.
    """
    outputs = outputs_of(network, examples, budget, loss, team)
    rewards = [each[:, 0] if each.ndim > 1 else each for each in outputs]
    pairs = list(zip(rewards, examples, strict=True))
    margin = np.concatenate([r[e.preferred] - r[e.other] for r, e in pairs])
    preference = np.concatenate([e.preference for e in examples]).astype(np.float64)
    weight = np.concatenate([e.weight for e in examples]).astype(np.float64)
    every = np.concatenate(rewards)
    own = (
        {}
        if replace(loss, text=None) == LOSSES["bradley-terry"]
        else {"eval_objective": objective(loss, examples, np.concatenate(outputs))}
    )
    figures = {
        "eval_loss": nll(margin, preference, weight=weight),
        **own,
        "eval_accuracy": accuracy(margin, preference, weight=weight),
        "eval_margin": over_decided(margin, preference, weight),
        "eval_reward_mean": float(every.mean()),
        "eval_reward_std": float(every.std()),
    }
    prompts = tuple(example.prompt_id for example in examples for _ in example.preferred)
    return ValidationPass(step, epoch, figures, margin, preference, weight, prompts, tuple(rewards))


def told_loss(figures: Mapping[str, float]) -> float:
    """The loss to show of a validation pass: `eval_loss`, or without comparisons the loss that is trained."""
    loss = figures["eval_loss"]
    return figures.get("eval_objective", loss) if np.isnan(loss) else loss


def outputs_of(
    network: RewardNetwork, examples: Sequence[Example], budget: int, loss: Loss, team: Team
) -> list[Float[np.ndarray, "K ..."]]:
    """What the loss takes of each example: its rewards, or all columns where the loss has no other way to be measured."""
    sequences = [example.sequences for example in examples]
    if not loss.wide or loss.held_out is not None:
        return list(score(network, sequences, budget=budget, team=team))

    def columns(batch: Batch) -> Float[np.ndarray, "R O"]:
        return network(batch, wide=True).double().cpu().numpy()  # type: ignore[no-any-return]

    return [finite(each) for each in computed(network, sequences, columns, budget=budget, team=team)]


def objective(loss: Loss, examples: Sequence[Example], outputs: Float[np.ndarray, "R ..."]) -> float:
    """The loss of these rewards or columns, for each response of the examples in order, as one step of all of them."""
    labels = labels_of(examples, CPU, loss.unit)
    values = (loss.held_out or loss.values)(torch.from_numpy(outputs).double(), labels)
    return float((labels.unit_weight * values).sum() / labels.unit_weight.sum())


def loss_at_equal_rewards(loss: Loss, examples: Sequence[Example], network: RewardNetwork) -> float:
    """The loss of a model that gives every response the reward 0: ln 2 under Bradley-Terry.

    Where the loss takes more columns, these are what the network's outputs give for features that are all 0.
    """
    some = examples[:ENOUGH]
    zeros = np.zeros(sum(example.responses for example in some))
    extra = extra_of(network)
    if not loss.wide or loss.held_out is not None or extra is None:
        return objective(loss, some, zeros)
    with torch.no_grad():
        nothing = torch.zeros(len(zeros), network.head.in_features, device=network.device)
        outputs = extra(nothing[:, 0], nothing, network.head.weight.float())
    return objective(loss, some, outputs.double().cpu().numpy())
