"""Which parameters learn, at what memory, and AdamW over them."""

from typing import Any, NamedTuple

import torch

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.network import RewardNetwork, layer_stack


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
        raise ModelError(f"--freeze-layers {layers}: the model has {len(stack)} layers; choose 0 to that many, or -1")
    everything = layers == -1
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    if not everything:
        thawed = [*stack[layers:], *after_stack(backbone)]
        for module in thawed:
            for parameter in module.parameters():
                parameter.requires_grad_(True)


def after_stack(backbone: Any) -> list[torch.nn.Module]:
    """What comes after the layers and should learn with them: final norm, pooler."""
    names = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "pooler")
    return [
        module for name, module in backbone.named_modules() if name.rpartition(".")[2] in names and "layers" not in name
    ]


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
            "--activation-offload moves activations from a GPU to the host, and this run is on cpu; leave it out"
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
