"""Weights of linear layers stored transposed, for forward passes of few tokens on a CPU.

A linear layer computes x W^T. torch stores W by rows, so the processor's library multiplies by a transposed factor, which
it has to rearrange in every pass; for up to some 200 tokens that takes a quarter of the product's time. Stored by columns,
W^T lies as the library wants it. Shape and values stay; products differ by rounding alone. It takes about a second for each
GB, and weights that were mapped from their file become memory of the process. A backward pass would lose as much as the
forward pass gains, so that models which learn keep their rows.
"""

import torch
from torch import Tensor, nn

from rewardsmith.model.forward.network import RewardNetwork


def store_transposed(network: RewardNetwork) -> int:
    """Store the weights of the linear layers by columns where that is faster: in fp32 on a CPU; returns how many.

    Not those that an embedding shares, which is looked up by rows, nor heads with one output, which are rows anyway.
    """
    if network.device.type != "cpu" or network.autocast is not None:
        return 0
    modules = list(network.modules())
    looked_up = {id(module.weight) for module in modules if isinstance(module, nn.Embedding)}
    weights = {id(module.weight): module.weight for module in modules if type(module) is nn.Linear}
    chosen = [weights[key] for key in weights.keys() - looked_up if gains(weights[key])]
    for weight in chosen:
        weight.data = weight.data.t().contiguous().t()
    return len(chosen)


def gains(weight: Tensor) -> bool:
    """Whether a weight is multiplied faster by columns."""
    return weight.dtype == torch.float32 and len(weight) > 1
