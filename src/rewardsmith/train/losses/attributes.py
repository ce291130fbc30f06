"""The loss of a head with one output per attribute."""

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.by_record import mean_by_group
from rewardsmith.train.losses.loss import Annotations, Loss


def attributes(outputs: Float[Tensor, "R O"], labels: Annotations) -> Float[Tensor, " U"]:
    """The mean over the attributes that a record judges: squared error of ratings, Bradley-Terry of comparisons.

    Column 1 + a is the output of attribute a. Ratings have mean 0 and deviation 1 by attribute, so that each begins near a
    loss of 1, and comparisons near ln 2; regression by attribute: ArmoRM (Wang et al. 2024, arXiv 2406.12845), stage 1. The
    first column, the reward, has no part in it: it follows from the others.
    """
    said = labels.attributes
    assert said is not None  # the head asks for them
    records, count = len(labels.unit_weight), said.rating.shape[1]
    own = outputs[:, 1:]
    of = said.attribute
    compared = bradley_terry(own[said.preferred, of] - own[said.other, of], said.preference.to(own))
    group = labels.record[said.preferred] * count + of
    losses, heard = mean_by_group(compared, said.weight.to(own), group, records * count)
    rated = ~torch.isnan(said.rating)
    square = (own - torch.nan_to_num(said.rating.to(own))) ** 2
    places = labels.record[:, None] * count + torch.arange(count, device=own.device)
    more, seen = mean_by_group(square.reshape(-1), rated.to(own).reshape(-1), places.reshape(-1), records * count)
    total = (losses + more).reshape(records, count).sum(dim=1)
    result: Tensor = total / (heard + seen).reshape(records, count).sum(dim=1).clamp(min=1)
    return result


LOSS = Loss(attributes, unit="record", outputs="multi-objective")
