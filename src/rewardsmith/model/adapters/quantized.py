"""A frozen base in 4 or 8 bits under an adapter (QLoRA, Dettmers et al. 2023), through bitsandbytes; and back to fp32."""

from typing import Any

import torch
from torch import nn

from rewardsmith.errors import MissingExtraError, ModelError, first_line
from rewardsmith.launch.installation import install_command
from rewardsmith.model.forward.network import layer_stack
from rewardsmith.model.runtime.quiet import quiet_bitsandbytes

BITS = ("4bit", "8bit")
OUTLIER = 6.0  # LLM.int8's threshold: activations above it are multiplied in 16 bits (Dettmers et al. 2022)


def open_bitsandbytes(bits: str, device: torch.device) -> Any:
    """The library, once it has quantised and multiplied a small matrix on `device`; one clear error otherwise."""
    quiet_bitsandbytes()
    try:
        import bitsandbytes
    except ImportError as error:
        raise MissingExtraError(
            f"--quantize {bits} needs the package bitsandbytes; install it with: {install_command('qlora')}"
        ) from error
    try:
        probe = quantized(nn.Linear(64, 64, bias=False), bits, bitsandbytes, device)
        with torch.no_grad():
            finite = bool(torch.isfinite(probe(torch.ones(1, 64, device=device))).all())
        if not finite:
            raise ModelError("its matrix product is not finite")
    except Exception as error:  # what a library raises without its native part differs from version to version
        cause = first_line(error)[:200]
        raise ModelError(
            f"--quantize {bits}: bitsandbytes {bitsandbytes.__version__} cannot be used on {device} ({cause}); "
            "use a CUDA device or another version of it, or train without --quantize"
        ) from error
    return bitsandbytes


def quantize(hf: Any, bits: str, device: torch.device) -> None:
    """Replace the linear layers of the blocks by 4-bit (NF4, double quantisation) or 8-bit (LLM.int8) ones on `device`.

    Embeddings, norms and head keep their precision and their place. Called before the model is moved, so that the
    device never holds the whole of it in fp32.
    """
    library = open_bitsandbytes(bits, device)
    for layer in layer_stack(hf.base_model):
        for name, module in list(layer.named_modules()):
            if type(module) is nn.Linear:
                replace(layer, name, quantized(module, bits, library, device))
    setattr(hf, f"is_loaded_in_{bits}", True)  # where peft looks for it


def quantized(module: nn.Linear, bits: str, library: Any, device: torch.device) -> nn.Module:
    """One linear layer in few bits; moving the new module to its device quantises it."""
    sizes, bias = (module.in_features, module.out_features), module.bias is not None
    if bits == "4bit":
        new = library.nn.Linear4bit(*sizes, bias=bias, quant_type="nf4", compute_dtype=torch.float32)
        # On CPUs with AVX512-BF16 a scoring pass would repack the weights for a product that has no gradient: training
        # would go on after the first validation pass with wrong gradients (bitsandbytes 0.50.2).
        new.support_avx512bf16_for_cpu = False
        weight = library.nn.Params4bit(module.weight.detach().cpu(), requires_grad=False, quant_type="nf4", module=new)
    else:
        new = library.nn.Linear8bitLt(*sizes, bias=bias, has_fp16_weights=False, threshold=OUTLIER)
        weight = library.nn.Int8Params(module.weight.detach().cpu(), requires_grad=False, has_fp16_weights=False)
    new.weight = weight
    if bias:
        new.bias = nn.Parameter(module.bias.detach().clone(), requires_grad=False)
    moved: nn.Module = new.to(device)
    return moved


def dequantize(hf: Any) -> str | None:
    """Turn quantised layers back into fp32 ones, adapters on them merged; returns the bits, None where none was."""
    bits = next((name for name in BITS if getattr(hf, f"is_loaded_in_{name}", False)), None)
    if bits is None:
        return None
    for name, module in list(hf.named_modules()):
        base = module.get_base_layer() if hasattr(module, "get_base_layer") else module
        if not is_quantized(base) or ".base_layer" in name:
            continue
        weight = plain_weight(base)
        if module is not base:
            weight = weight + module.get_delta_weight("default").float()
        replace(hf, name, plain_linear(weight, base.bias))
    delattr(hf, f"is_loaded_in_{bits}")
    return bits


def compute_in(hf: Any, dtype: torch.dtype) -> None:
    """The precision in which 4-bit layers multiply from now on."""
    for module in hf.modules():
        if is_quantized(module) and hasattr(module, "compute_dtype"):
            module.compute_dtype = dtype


def is_quantized(module: nn.Module) -> bool:
    """Whether a layer holds bitsandbytes' weights."""
    return type(getattr(module, "weight", None)).__name__ in ("Params4bit", "Int8Params")


def plain_weight(module: nn.Module) -> torch.Tensor:
    """The weight that a quantised layer stands for, in fp32."""
    from peft.utils.integrations import dequantize_module_weight

    weight: torch.Tensor = dequantize_module_weight(module)
    return weight.detach().float()


def plain_linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """A linear layer with these numbers."""
    new = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device=weight.device)
    with torch.no_grad():
        new.weight.copy_(weight)
        if bias is not None:
            new.bias.copy_(bias)
    return new


def replace(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place that the dotted `name` has under `root`."""
    above, _, last = name.rpartition(".")
    setattr(root.get_submodule(above), last, module)
