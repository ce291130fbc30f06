"""What ZeRO has cut over the processes, made whole for files, and cut again: weights and moments by parameter.

Every function but `is_cut` and `is_zero` is for all processes together.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def is_cut(parameter: Tensor) -> bool:
    """Whether stage 3 holds a part of this parameter only."""
    return hasattr(parameter, "ds_id")


def is_zero(parameter: Tensor) -> bool:
    """Whether ZeRO looks after this parameter."""
    return is_cut(parameter) or hasattr(parameter, "_hp_mapping")


def gathered_weight(parameter: Tensor) -> Tensor:
    """The whole of a parameter, in every process."""
    import deepspeed

    with deepspeed.zero.GatheredParameters([parameter]):
        return parameter.detach().clone()


def put_weight(parameter: Tensor, value: Tensor) -> None:
    """Write a whole value into a parameter and into the part of it that the optimizer updates."""
    import deepspeed

    with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0), torch.no_grad():
        parameter.copy_(value)
    put_state(parameter, None, value)


def put_state(parameter: Any, key: str | None, value: Tensor) -> None:
    """Write a moment (None: the weight that the optimizer updates), of which every process keeps its part."""
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    value = value.to(device=parameter.device, dtype=torch.float32)
    if is_cut(parameter):
        # Its own function for whole tensors does not take one whose size the processes do not divide.
        parameter._z3_optimizer.set_local_hp_param(part_of(parameter, value), parameter, key)
    elif key is None:
        safe_set_full_fp32_param(parameter, value)
    else:
        safe_set_full_optimizer_state(parameter, value, key)


def part_of(parameter: Any, value: Tensor) -> Tensor:
    """This process's part of a whole tensor, the last one filled up with zeros."""
    size, rank = parameter.ds_tensor.numel(), torch.distributed.get_rank()
    padded = F.pad(value.flatten(), (0, size * torch.distributed.get_world_size() - value.numel()))
    return padded[size * rank : size * (rank + 1)]


def moments_of(optimizer: Any, parameter: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The moments of a parameter by name, whole in every process; none before the first step."""
    from deepspeed.utils import safe_get_full_optimizer_state

    state: Mapping[str, Tensor] = next(iter(optimizer.state.values()), {})
    link_moments(optimizer, parameter)
    for key, value in state.items():
        yield key, value.clone() if value.dim() == 0 else safe_get_full_optimizer_state(parameter, key)


def put_moments(optimizer: Any, saved: Mapping[Tensor, Mapping[str, Tensor]]) -> None:
    """Begin with the moments in `saved`, by parameter: each process keeps its part of them.

    DeepSpeed makes room for them in its first step only, and knows where a parameter's lie from then on.
    """
    three = hasattr(optimizer, "fp32_partitioned_groups_flat")
    flats = optimizer.fp32_partitioned_groups_flat if three else optimizer.single_partition_of_fp32_groups
    like = next(iter(saved.values()))
    for flat in flats:
        optimizer.state[flat] = {
            key: torch.zeros_like(flat) if value.dim() else value.to(flat.device, copy=True)
            for key, value in like.items()
        }
    for parameter, values in saved.items():
        link_moments(optimizer, parameter)
        for key, value in values.items():
            if value.dim():
                put_state(parameter, key, value)


def link_moments(optimizer: Any, parameter: Any) -> None:
    """Tell stages 1 and 2 where the moments of a parameter lie.

    They look by themselves once the first group of parameters has moments, and do not find those of the groups after it.
    """
    mapping = getattr(parameter, "_hp_mapping", None)
    if mapping is not None and not mapping.optim_fragment:
        optimizer._hp_optimizer_states_linked = False
        optimizer._lazy_init_hp_params_optimizer_state()
