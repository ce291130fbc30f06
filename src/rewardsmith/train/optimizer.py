"""Which parameters learn, and AdamW over them."""

from typing import Any

import torch

from rewardsmith.errors import ModelError
from rewardsmith.model.network import RewardNetwork


def freeze(network: RewardNetwork, layers: int) -> None:
    """Freeze the embeddings and the first `layers` layers; -1 freezes the whole backbone, so that only the head learns."""
    if layers == 0:
        return
    backbone = network.hf.base_model
    stack = layer_stack(backbone)
    if layers > len(stack):
        raise ModelError(f"--freeze-layers {layers}: the model has {len(stack)} layers; choose 0 to that many, or -1")
    everything = layers == -1
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    if not everything:
        thawed = [*stack[layers:], *after_stack(backbone)]
        for module in thawed:
            for parameter in module.parameters():
                parameter.requires_grad_(True)


def layer_stack(backbone: Any) -> list[torch.nn.Module]:
    """The backbone's layers: its longest ModuleList."""
    stacks = [list(module) for module in backbone.modules() if isinstance(module, torch.nn.ModuleList)]
    if not stacks:
        raise ModelError(f"{type(backbone).__name__} has no list of layers to freeze")
    return max(stacks, key=len)


def after_stack(backbone: Any) -> list[torch.nn.Module]:
    """What comes after the layers and should learn with them: final norm, pooler."""
    names = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "pooler")
    return [
        module for name, module in backbone.named_modules() if name.rpartition(".")[2] in names and "layers" not in name
    ]


def make_optimizer(network: RewardNetwork, *, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019), decay on matrices only: norms, biases and the head's scale are left alone."""
    learning = [(name, p) for name, p in network.hf.named_parameters() if p.requires_grad]
    matrices = [p for _, p in learning if p.ndim >= 2]
    rest = [p for _, p in learning if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=lr, betas=(0.9, 0.98), eps=1e-8, fused=True
    )
