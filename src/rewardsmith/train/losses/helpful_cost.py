"""The losses of Safe RLHF's reward and cost models, for two outputs of one model."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rewardsmith.settings.options import NumberOption
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.by_record import mean_by_group
from rewardsmith.train.losses.loss import Annotations, Loss, difference_of


def helpful_cost(
    outputs: Float[Tensor, "R 2"], labels: Annotations, *, sign_weight: float = 1.0
) -> Float[Tensor, " U"]:
    """Bradley-Terry of the reward, Bradley-Terry of the cost, and s times -log sigma(sign * cost) of both responses.

    The two losses of Dai et al. 2023 (arXiv 2310.12773), added: the response that is less safe costs more, and sign is +1
    for an unsafe response, -1 for a safe one. Of a record with more than two responses each term is the mean over its
    comparisons or labelled responses, the sign term times 2, as for a pair. A term that a record says nothing of is 0.
    """
    said = labels.attributes
    assert said is not None  # the head asks for them
    records, (reward, cost) = len(labels.unit_weight), outputs.unbind(dim=1)
    helpful, _ = mean_by_group(
        bradley_terry(difference_of(reward, labels), labels.preference.to(reward)),
        labels.weight.to(reward),
        labels.record[labels.preferred],
        records,
    )
    safer, _ = mean_by_group(
        bradley_terry(cost[said.other] - cost[said.preferred], said.preference.to(cost)),
        said.weight.to(cost),
        labels.record[said.preferred],
        records,
    )
    safe = said.rating[:, 0]
    known = ~torch.isnan(safe)
    sign = 1 - 2 * torch.nan_to_num(safe).to(cost)
    signs, _ = mean_by_group(F.softplus(-sign * cost), known.to(cost), labels.record, records)
    return helpful + safer + 2 * sign_weight * signs


LOSS = Loss(
    helpful_cost,
    unit="record",
    options={"sign_weight": NumberOption(1.0, low=0.0)},
    outputs="helpful-cost",
)
