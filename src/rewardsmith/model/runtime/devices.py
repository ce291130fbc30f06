"""Where to compute and in which precision, chosen automatically."""

import sys
from typing import Any

import torch

from rewardsmith.errors import ModelError, first_line

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALL_WIDTH = 256  # below this, casting may cost a CPU more than its faster products save; a guess


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; a device that is not there is refused."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {name!r} is not available ({first_line(error)}); try auto or cpu") from error
    return device


def autocast_dtype(name: str, device: torch.device, config: Any) -> torch.dtype | None:
    """Mixed precision below the fp32 head: `auto` takes bf16 where the processor multiplies it faster than fp32."""
    if name != "auto":
        if name not in DTYPES:
            raise ModelError(f"unknown dtype {name!r}; expected auto, {', '.join(DTYPES)}")
        return DTYPES[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu":
        wide = config.get_text_config().hidden_size >= SMALL_WIDTH
        return torch.bfloat16 if wide and cpu_has_fast_bf16() else None
    return None


def cpu_has_fast_bf16() -> bool:
    """Whether this CPU has bf16 dot products (AVX512-BF16 or AMX)."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name)()) for name in names if hasattr(torch.cpu, name))


def begin_peak_memory(device: torch.device) -> None:
    """Count the peak of GPU memory from here on; a process's own peak cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> dict[str, int]:
    """The most memory held, in bytes: `peak_gpu_bytes` allocated by torch on CUDA, else `peak_process_bytes`.

    The latter is the largest resident set of the process since it began, libraries and data included; {} where the
    system does not tell (Windows).
    """
    if device.type == "cuda":
        return {"peak_gpu_bytes": torch.cuda.max_memory_allocated(device)}
    try:
        import resource
    except ImportError:
        return {}
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_process_bytes": largest if sys.platform == "darwin" else largest * 1024}  # macOS counts bytes


def dtype_name(dtype: torch.dtype | None) -> str:
    """The name under which a precision is stored."""
    return next(name for name, value in DTYPES.items() if value == dtype)
