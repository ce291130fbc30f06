"""Plackett-Luce: a ranking as a sequence of choices, the best of all, then the best of the rest."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.loss import Annotations, Loss
from rewardsmith.train.losses.rankings import Choices


def plackett_luce(
    rewards: Float[Tensor, " R"], choices: Choices, *, records: int, top: float = 0.0
) -> Float[Tensor, " N"]:
    """Mean over a record's choices of -log(e^r_picked / sum of e^r over those left) (Plackett 1975; Luce 1959).

    One value for each of the `records`: the negative log-likelihood of its ranking divided by the number of choices, so
    that a ranking counts as much as a pair; of two responses it is Bradley-Terry. `top` > 0 keeps the first choices only
    (0: all). Ties are the mean over all orders of the equals. A record without choices gives 0.
    """
    scores = rewards[choices.members]
    total = torch.logsumexp(scores.masked_fill(~choices.mask, float("-inf")), dim=1)
    surprise = total - (choices.chosen * scores).sum(dim=1)
    weight = choices.weight.to(rewards) * ((choices.pick < top) | (top == 0))
    empty = rewards.new_zeros(records)
    lost = empty.index_add(0, choices.record, weight * surprise)
    return lost / empty.index_add(0, choices.record, weight).clamp(min=1.0)


def values(rewards: Float[Tensor, " R"], labels: Annotations, *, top: float = 0.0) -> Float[Tensor, " N"]:
    """The loss of each record."""
    assert labels.choices is not None  # a loss on rankings gets them
    return plackett_luce(rewards, labels.choices, records=len(labels.unit_weight), top=top)


LOSS = Loss(values, unit="ranking", options={"top": NumberOption(0.0, low=0.0)}, needs="rankings")
