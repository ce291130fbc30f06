"""LoRA adapters through peft: put one on a network, merge it into plain weights, keep it in peft's own files.

The adapter (Hu et al. 2021, "LoRA": W + alpha / r * B A, with B = 0 at the start) sits on linear layers of the blocks;
the head, and whatever else stands behind the backbone, learns whole. What is saved is the merged model in `model/` and
the adapter in `model/adapter/`: files of both in one folder would be applied twice by transformers and peft, silently.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from rewardsmith.errors import MissingExtraError, ModelError, UsageError
from rewardsmith.launch.installation import install_command
from rewardsmith.model.adapters.quantized import compute_in, dequantize
from rewardsmith.model.checkpoint.probes import REWARD_TOLERANCE
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.model.runtime.quiet import quiet_bitsandbytes

ADAPTER = "default"  # peft's name for the only adapter of a model
HEADS = ("classifier", "score")  # peft adds these by itself


@dataclass(frozen=True)
class LoraSettings:
    """Rank, scale (alpha / r), dropout before the adapter, and names of linear layers (empty = all of the blocks)."""

    r: int
    alpha: int
    dropout: float = 0.0
    target: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter's weights and config, held apart from the model that it was merged into."""

    config: Any
    tensors: dict[str, Tensor]

    def write(self, folder: Path, *, base: str | None = None) -> None:
        """Write what `PeftModel.from_pretrained` reads; `base` names the base instead of peft's local path to it."""
        from safetensors.torch import save_file

        if base is not None:
            self.config.base_model_name_or_path = base

        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        self.config.save_pretrained(str(folder))


@dataclass(frozen=True)
class Adapter:
    """peft's view of a network's model: the same modules, its linear layers wrapped."""

    wrapped: Any

    def files(self) -> AdapterFiles:
        """Copies of the weights as they are now, and the config that a reader needs."""
        from peft import get_peft_model_state_dict

        # Not "auto": that asks the hub whether the vocabulary was changed.
        state = get_peft_model_state_dict(self.wrapped, save_embedding_layers=False)
        config = self.wrapped.peft_config[ADAPTER]
        config.inference_mode = True
        return AdapterFiles(config, {name: t.detach().float().cpu().contiguous() for name, t in state.items()})


def attach(
    network: RewardNetwork,
    settings: LoraSettings,
    *,
    first_layer: int = 0,
    seed: int = 0,
    task: Literal["SEQ_CLS", "CAUSAL_LM"] = "SEQ_CLS",
) -> Adapter:
    """Put an adapter on the layers from `first_layer` on; from then on only it and the head learn, of a language model
    (`task` CAUSAL_LM) it alone.

    Rewards are unchanged until the first step, and the same seed gives the same adapter on every device. UsageError
    for a target that the model has not, MissingExtraError without peft.
    """
    quiet_bitsandbytes()  # which peft opens where it is installed, quantised or not
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingExtraError(
            f"--lora.r needs the package peft; install it with: {install_command('lora')}"
        ) from error
    hf = network.hf
    own = [name for name in own_modules(hf) if name not in HEADS] if task == "SEQ_CLS" else []
    config = LoraConfig(
        task_type=task,  # with another one the head of a classifier is not saved
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=chosen_targets(hf, settings.target, first_layer),
        modules_to_save=own or None,
    )
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old names of transformers that peft uses, and GPT-2's transposed layers
        wrapped = get_peft_model(hf, config)
    network.take_head()
    return Adapter(wrapped)


def own_modules(hf: Any) -> list[str]:
    """What stands behind the backbone and may be new: head, prediction head, pooler."""
    own = [name for name, module in hf.named_children() if name != hf.base_model_prefix and list(module.parameters())]
    return own + (["pooler"] if getattr(hf.base_model, "pooler", None) is not None else [])


def block_linears(hf: Any, first_layer: int) -> list[str]:
    """Names of the linear layers inside the blocks from `first_layer` on."""
    from transformers.pytorch_utils import Conv1D

    stack = layer_stack(hf.base_model)
    if first_layer > len(stack):
        raise ModelError(
            f"--freeze-layers {first_layer}: the model has {len(stack)} layers; expected 0 to {len(stack)}"
        )
    inside = {id(module) for layer in stack[first_layer:] for module in layer.modules()}
    return [
        name for name, module in hf.named_modules() if isinstance(module, nn.Linear | Conv1D) and id(module) in inside
    ]


def chosen_targets(hf: Any, target: Iterable[str], first_layer: int) -> list[str]:
    """The full names of the layers that get an adapter; every word of `target` has to name at least one."""
    names = block_linears(hf, first_layer)
    if not names:
        raise UsageError(f"--freeze-layers {first_layer} leaves no linear layer for --lora.r; freeze fewer layers")
    wanted = list(target) or names
    for word in wanted:
        if not any(is_named(name, word) for name in names):
            known = sorted({name.rpartition(".")[2] for name in names})
            raise UsageError(f"--lora.target {word}: no such linear layer; this model has {', '.join(known)}")
    return [name for name in names if any(is_named(name, word) for word in wanted)]


def is_named(name: str, word: str) -> bool:
    """Whether `word` is the dotted name or its end: q_proj, self_attn.q_proj, model.layers.0.self_attn.q_proj."""
    return name == word or name.endswith("." + word)


def merge(adapter: Adapter, network: RewardNetwork, score: Callable[[], Float64[np.ndarray, " N"]]) -> float:
    """Merge an adapter into its network in fp32, a quantised base dequantised first; returns the largest change of a probe.

    `score` gives the probes' rewards, before and after. ModelError where they differ by more than 1e-4 relative; with an
    8-bit base, which also rounds activations, they may, and the probes of the saved model are those of the merged one.
    """
    compute_in(network.hf, torch.float32)
    before = score()
    rounded = dequantize(network.hf)
    hf = adapter.wrapped.merge_and_unload()
    assert hf is network.hf
    assert network.head in set(hf.modules())
    vars(hf).pop("peft_config", None)  # left behind by some versions: transformers would look for an adapter
    after = score()
    difference = float(np.abs(after - before).max())
    if rounded != "8bit" and not np.all(np.abs(after - before) <= REWARD_TOLERANCE * np.maximum(1, np.abs(before))):
        raise ModelError(
            "merging the adapter changed the reward of a probe (a conversation stored with the model to check it) by "
            f"{difference:.2g}; expected at most 1e-4"
        )
    return difference
