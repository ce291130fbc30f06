"""Whole tensors of what FSDP or ZeRO has cut over processes, for files, and the way back; plain tensors stay as they are.

Every function is for all processes together: each has to ask for the same parameters in the same order.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from rewardsmith.train.engines import zero_state


def whole(tensor: Tensor) -> Tensor:
    """The whole of a cut tensor; any other as it is."""
    if isinstance(tensor, DTensor):
        gathered: Tensor = tensor.full_tensor()
        return gathered
    return zero_state.gathered_weight(tensor) if zero_state.is_cut(tensor) else tensor


def cut_like(value: Tensor, pattern: Tensor) -> Tensor:
    """`value` on the device of `pattern`, and cut like it where it has its shape; every process holds `value` whole."""
    value = value.to(pattern.device)
    if isinstance(pattern, DTensor) and value.shape == pattern.shape:
        return distribute_tensor(value, pattern.device_mesh, pattern.placements, src_data_rank=None)
    return value


def put(parameter: Tensor, value: Tensor) -> None:
    """Write a whole value into a parameter, wherever the parts of it are."""
    if zero_state.is_zero(parameter):
        zero_state.put_weight(parameter, value)
        return
    with torch.no_grad():
        parameter.copy_(cut_like(value, parameter))


def moments_of(optimizer: Any, parameter: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What the optimizer keeps of a parameter, by name: whole where ZeRO has cut it, else as it lies."""
    if zero_state.is_zero(parameter):
        yield from zero_state.moments_of(optimizer, parameter)
    else:
        yield from optimizer.state[parameter].items()


def put_moments(optimizer: Any, saved: Mapping[Tensor, Mapping[str, Tensor]]) -> None:
    """Let the optimizer begin with whole moments."""
    if zero_state.is_zero(next(iter(saved))):
        zero_state.put_moments(optimizer, saved)
        return
    for parameter, values in saved.items():
        optimizer.state[parameter] = {key: cut_like(value, parameter) for key, value in values.items()}
