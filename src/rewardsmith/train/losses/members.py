"""A loss for several heads that learn together: each on its own bootstrap sample of the prompts."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import UsageError
from rewardsmith.train.losses.loss import Annotations, Loss

OneLoss = Callable[..., Float[Tensor, " U"]]


def of_members(loss: Loss, name: str, count: int) -> Loss:
    """The loss for `count` heads behind the reward, which is their mean; UsageError for one that is not on comparisons.

    Validation takes the loss of the mean. For one head it is the loss itself.
    """
    if count == 1:
        return loss
    if loss.unit != "comparison" or loss.outputs != "rewards":
        raise UsageError(
            f"--loss {name}: several heads on one backbone learn from losses on comparisons, such as bradley-terry; use "
            "--members.kind runs"
        )
    return replace(
        loss,
        values=partial(mean_over_members, loss.values),
        held_out=loss.held_out or loss.values,
        couples=True,
        outputs="members",
        members=count,
    )


def mean_over_members(values: OneLoss, outputs: Float[Tensor, "R O"], labels: Annotations) -> Float[Tensor, " C"]:
    """The mean over members of the loss of each, times how often its sample holds the comparison.

    `labels.resample` is Poisson with mean 1 by prompt (Oza & Russell 2001), the online form of the bootstrap. Linear heads
    on the same features, all with the same comparisons, would soon be one.
    """
    assert labels.resample is not None  # the step draws it
    members = outputs[:, 1:].unbind(dim=1)
    each = torch.stack([values(column, labels) for column in members], dim=1)
    return (labels.resample.to(each) * each).mean(dim=1)
