"""Comparisons on which the members of an ensemble disagree count less."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Annotations, Loss, on_differences


def agreement_weights(
    differences: Float[Tensor, "C M"], weight: Float[Tensor, " C"], *, strength: float = 1.0
) -> Float[Tensor, " C"]:
    """1 / (1 + s var), var the members' variance of r_preferred - r_other, scaled to a weighted mean of 1; no gradient.

    Of the difference, since comparisons leave each member's level open: var(r_preferred) + var(r_other) would hold those
    levels. From two members on; the variance divides by M - 1.
    """
    raw = 1 / (1 + strength * differences.detach().var(dim=1, correction=1))
    mean = (weight * raw).sum() / weight.sum().clamp(min=torch.finfo(raw.dtype).tiny)
    return raw / mean


def uncertainty(outputs: Float[Tensor, "R O"], labels: Annotations, *, strength: float = 1.0) -> Tensor:
    """Bradley-Terry of each member, their mean, times `agreement_weights`; the columns behind the first are the members.

    `labels.resample` says how often each member's bootstrap sample holds a comparison (Poisson with mean 1 by prompt, Oza &
    Russell 2001), without which linear members on one backbone would soon be one. The mean of the members is the reward.
    """
    assert labels.resample is not None  # the step draws it
    rewards = outputs[:, 1:]
    differences = rewards[labels.preferred] - rewards[labels.other]
    each = torch.stack([bradley_terry(column, labels.preference) for column in differences.unbind(dim=1)], dim=1)
    return agreement_weights(differences, labels.weight.to(outputs), strength=strength) * (
        labels.resample.to(each) * each
    ).mean(dim=1)


LOSS = Loss(
    uncertainty,
    options={"strength": NumberOption(1.0, low=0.0), "members": NumberOption(4.0, low=2.0, high=64.0)},
    couples=True,
    outputs="members",
    held_out=on_differences(bradley_terry),
    members=4,
)
