"""Which parameters learn, at what memory, and AdamW over them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.scoring.trees import build_tree

SOME_TOKENS = 8
"""Of the pass that tells which modules come after a layer: any will do."""


class Parameters(NamedTuple):
    """How many numbers a network has, and how many of them learn; a quantised weight counts as what it stands for."""

    all: int
    trainable: int


def count_parameters(network: RewardNetwork) -> Parameters:
    """Count them; the head that an adapter's own copy has replaced does not count."""
    counted = list(network.parameter_sizes())
    return Parameters(sum(size for _, size in counted), sum(size for p, size in counted if p.requires_grad))


def freeze(network: RewardNetwork, layers: int) -> None:
    """Freeze the embeddings and the first `layers` layers; -1 freezes the whole backbone, so that only the head learns."""
    if layers == 0:
        return
    backbone = network.hf.base_model
    stack = layer_stack(backbone)
    if layers > len(stack):
        raise ModelError(
            f"--freeze-layers {layers}: the model has {len(stack)} layers; expected 0 to {len(stack)}, or -1"
        )
    learning = [] if layers == -1 else [*above(network, stack[layers - 1]), *parameters_of(stack[layers:])]
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    for parameter in learning:
        parameter.requires_grad_(True)


def parameters_of(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    """All parameters of the modules."""
    return [parameter for module in modules for parameter in module.parameters()]


def above(network: RewardNetwork, layer: nn.Module) -> list[nn.Parameter]:
    """The backbone's parameters that a forward pass uses only after it has left `layer`: final norm, pooler, projection.

    Names do not tell: a final norm is called norm, ln_f, final_norm, norm_f, final_layernorm, LayerNorm. So some tokens go
    through the network, and the modules that are called from then on are taken down.
    """
    below: set[nn.Parameter] = set()
    after: list[nn.Parameter] = []
    left = False

    def called(module: nn.Module, arguments: Any) -> None:
        own = list(module.parameters(recurse=False))
        after.extend(own) if left else below.update(own)

    def leave(module: nn.Module, arguments: Any, output: Any) -> None:
        nonlocal left
        left = True

    hooks = [module.register_forward_pre_hook(called) for module in network.hf.base_model.modules()]
    hooks.append(layer.register_forward_hook(leave))
    training = network.training
    try:
        with torch.no_grad():
            network.eval()
            network(network.texts([build_tree([np.arange(1, 1 + SOME_TOKENS, dtype=np.int32)])]))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return [parameter for parameter in after if parameter not in below]


def recompute_activations(network: RewardNetwork) -> None:
    """Keep only each layer's input for the backward pass and compute the rest again (Chen et al. 2016).

    The gradient is the same. The layout of packed trees is an argument of the layer and so is there the second time.
    """
    hf = network.hf
    if not getattr(hf, "supports_gradient_checkpointing", False):
        raise ModelError(f"{type(hf).__name__} does not support --gradient-checkpointing; train without it")
    # Non-reentrant: the other kind loses the gradient of frozen embeddings' outputs, and with it the whole adapter.
    if hasattr(hf, "activation_checkpointing_enable"):
        hf.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:  # transformers before it was renamed
        hf.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def offload_activations(network: RewardNetwork) -> None:
    """Keep what the backward pass needs in the host's memory, and bring it back when it is its turn."""
    if network.device.type == "cpu":
        raise ModelError(
            "--activation-offload moves activations from a GPU to the host, but this run uses the CPU; remove it"
        )
    network.offload = True


def make_optimizer(network: RewardNetwork, *, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019), decay on matrices only: norms, biases and the head's scale are left alone."""
    learning = [(name, p) for name, p in network.hf.named_parameters() if p.requires_grad]
    matrices = [p for _, p in learning if p.ndim >= 2]
    rest = [p for _, p in learning if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=lr, betas=(0.9, 0.98), eps=1e-8, fused=True
    )
