"""The gradient of a loss that couples the step: its value depends on all responses at once.

Two passes (GradCache, Gao et al. 2021, arXiv 2101.06983): first all outputs without a gradient, from which the loss and its
derivative by every output follow; then each micro-batch again, whose outputs are multiplied with that derivative. The sum
over micro-batches and processes is the gradient of the whole, whatever the cut. Where the step is one pass, it is made once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.model.forward.batches import KnownFeatures, on_device
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.forward.spoken import spoken_tokens
from rewardsmith.train.engines.engine import Engine
from rewardsmith.train.examples import Example
from rewardsmith.train.labels import labels_of
from rewardsmith.train.losses.loss import Annotations, Loss
from rewardsmith.train.masks import Dropout, wanted_texts

VIEW = 1_000_003
"""Added to the seed for each view, so that no mask of a view is one of the head's."""


def step_labels(network: RewardNetwork, examples: Sequence[Example], loss: Loss, dropout: Dropout) -> Annotations:
    """The labels of the whole step; with masks of views and bootstrap samples where the loss takes them."""
    labels = labels_of(examples, network.device, loss.unit)
    if loss.members:
        counts = [
            draws(example.prompt_id, loss.members, dropout.seed) for example in examples for _ in example.preferred
        ]
        labels = replace(labels, resample=on_device(np.stack(counts), network.device))
    if loss.view_dropout:
        labels = replace(labels, views=views_of(network, examples, loss.view_dropout, dropout))
    return labels


def views_of(
    network: RewardNetwork, examples: Sequence[Example], rate: float, dropout: Dropout
) -> Float[Tensor, "2 R F"]:
    """Two masks for the features of every response, which depend on seed, epoch, record and response alone."""
    seeds = (dropout.seed + VIEW, dropout.seed + 2 * VIEW)
    masks = (
        Dropout(rate, seed, dropout.epoch).masks(examples, network.head.in_features, network.device) for seed in seeds
    )
    return torch.stack([mask for mask in masks if mask is not None])


def draws(prompt: str, members: int, seed: int) -> Float[np.ndarray, " M"]:
    """How often the bootstrap sample of each member holds a prompt: Poisson with mean 1, the same in every epoch."""
    digest = hashlib.sha256(f"{seed}:member:{prompt}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big")).poisson(1.0, members).astype(np.float32)


def all_outputs(
    network: RewardNetwork,
    passes: Sequence[Sequence[Example]],
    examples: Sequence[Example],
    *,
    dropout: Dropout,
    engine: Engine,
    loss: Loss,
    counting: int,
) -> tuple[Float[Tensor, "R O"], list[Tensor]]:
    """The outputs of the whole step, in the order of its examples, and the random state before each of our passes.

    Only the first `counting` passes are of use; the others are made because other processes make as many.
    """
    own: dict[int, np.ndarray] = {}
    states = []
    place = {id(example): number for number, example in enumerate(examples)}
    with torch.no_grad():
        for number, chosen in enumerate(passes):
            states.append(random_state(network.device))
            columns = outputs_of(network, chosen, dropout, engine, loss).cpu().numpy()
            if number < counting:
                parts = np.split(columns, np.cumsum([example.responses for example in chosen])[:-1])
                own |= {place[id(example)]: part for example, part in zip(chosen, parts, strict=True)}
    network.settle()
    known = {number: part for hand in engine.team.gather(own) for number, part in hand.items()}
    whole = np.concatenate([known[number] for number in range(len(examples))])
    return torch.from_numpy(whole).to(network.device), states


def outputs_of(
    network: RewardNetwork, chosen: Sequence[Example], dropout: Dropout, engine: Engine, loss: Loss
) -> Tensor:
    """One forward pass: the rewards, or the columns that the loss takes."""
    trees = [example.tree for example in chosen]
    batch = network.collate(trees)
    if loss.text is not None and not isinstance(batch, KnownFeatures) and batch.spoken is None:
        wanted = wanted_texts(loss.text, chosen, dropout)
        batch = replace(batch, spoken=spoken_tokens(batch, trees, wanted))
    masks = dropout.masks(chosen, network.head.in_features, network.device)
    return engine.rewards(batch, masks, wide=loss.wide or loss.text is not None)


def slopes_of(outputs: Float[Tensor, "R O"], labels: Annotations, loss: Loss) -> Float[Tensor, "R O"]:
    """The derivative of the loss of the step by every output."""
    leaf = outputs.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(mean_of(loss.whole(*loss.parts(leaf, labels)), labels), leaf)
    return slopes


def mean_of(values: Float[Tensor, " U"], labels: Annotations) -> Float[Tensor, ""]:
    """The loss of a step from those of its units."""
    return (labels.unit_weight * values).sum() / labels.unit_weight.sum()


def rows_of_examples(examples: Sequence[Example], chosen: Sequence[Example]) -> list[int]:
    """Where the responses of some examples stand among those of all."""
    first = np.cumsum([0, *(example.responses for example in examples)])
    place = {id(example): number for number, example in enumerate(examples)}
    return [row for e in chosen for row in range(first[place[id(e)]], first[place[id(e)] + 1])]


def random_state(device: torch.device) -> Tensor:
    """The state of the device's generator, from which the model's own dropout is drawn."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Go back to a state, so that a second pass draws the same masks."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
