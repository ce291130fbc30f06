"""Means over what a record says, for losses whose unit is the record."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def mean_by_group(
    values: Float[Tensor, " N"], weight: Float[Tensor, " N"], group: Int64[Tensor, " N"], count: int
) -> tuple[Float[Tensor, " G"], Float[Tensor, " G"]]:
    """The weighted mean of each of `count` groups, 0 for an empty one; and 1 for each group that is not empty."""
    total = values.new_zeros(count).index_add(0, group, weight * values)
    weights = values.new_zeros(count).index_add(0, group, weight)
    filled = (weights > 0).to(values)
    return total / torch.where(weights > 0, weights, torch.ones_like(weights)), filled
