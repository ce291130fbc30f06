"""The DeepSpeed configuration of `train --parallel deepspeed`: what of it is used, and what our own options say instead."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.errors import DataError, UsageError
from rewardsmith.files.reading import as_object, read_bytes

SHIPPED = Path(__file__).parents[2] / "recipes"
DEFAULT = "zero2"
ZERO = "zero_optimization"
OURS = {
    "train_batch_size": "--batch",
    "train_micro_batch_size_per_gpu": "--tokens-per-microbatch",
    "gradient_accumulation_steps": "--batch and --tokens-per-microbatch",
    "gradient_clipping": "--clip",
    "optimizer": "--lr and --weight-decay",
    "scheduler": "--lr and --warmup",
    "bf16": "--dtype",
    "fp16": "--dtype",
    "amp": "--dtype",
    "torch_autocast": "--dtype",
    "activation_checkpointing": "--gradient-checkpointing",
}
"""What a configuration may leave to us with "auto" or {"enabled": false}, and the option that says it."""
USED = {
    "stage", "offload_optimizer", "offload_param", "overlap_comm", "contiguous_gradients", "reduce_scatter",
    "reduce_bucket_size", "allgather_partitions", "allgather_bucket_size", "round_robin_gradients", "sub_group_size",
    "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold", "stage3_max_live_parameters",
    "stage3_max_reuse_distance",
}  # fmt: skip
"""What is passed on: none of it changes what is computed."""
WITHOUT_EFFECT = {"stage3_gather_16bit_weights_on_model_save"}  # we gather by ourselves, and in fp32


def zero_settings(given: str | None) -> dict[str, Any]:
    """DeepSpeed's `zero_optimization` from a file or shipped configuration (None: what accelerate names, or the default).

    UsageError for what cannot be read, what is said by our own options, and what is not passed on.
    """
    path = file_of(given)
    try:
        content = as_object(read_bytes(path), str(path))
    except DataError as error:
        raise UsageError(f"--deepspeed-config {path}: cannot be read as JSON ({error})") from error
    if not isinstance(content.get(ZERO), dict):
        raise UsageError(f"--deepspeed-config {path}: expected an object with the key {ZERO}")
    refuse_other_parts(content, path)
    settings = {key: value for key, value in content[ZERO].items() if value != "auto" and key not in WITHOUT_EFFECT}
    refuse_settings(settings, path)
    return settings


def refuse_other_parts(content: Mapping[str, Any], path: Path) -> None:
    """UsageError for what stands beside ZeRO's part: what is said by our own options, and what is not passed on."""
    for key, value in content.items():
        if key in OURS and not left_to_us(value):
            raise UsageError(f'--deepspeed-config {path}: {key} is set by {OURS[key]}; remove it, or write "auto"')
        if key not in OURS and key != ZERO:
            raise UsageError(f"--deepspeed-config {path}: {key} is ignored; keep only {ZERO}")


def file_of(given: str | None) -> Path:
    """The file that is meant; UsageError where accelerate wants DeepSpeed and names none."""
    if given is None and os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        given = os.environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "none")
        if given.lower() == "none":
            raise UsageError(
                "accelerate is configured for DeepSpeed without a file; add --deepspeed-config zero2, zero3 or a file"
            )
    given = given or DEFAULT
    shipped = dict(sorted((path.stem, path) for path in SHIPPED.glob("zero*.json")))
    path = Path(given)
    if path.is_file() or given not in shipped:
        if not path.is_file():
            raise UsageError(f"--deepspeed-config {given}: no such file; available: {', '.join(shipped)}")
        return path
    return shipped[given]


def left_to_us(value: object) -> bool:
    """Whether a setting that is ours is left to us: "auto", or switched off."""
    if isinstance(value, Mapping):
        return value.get("enabled") in (False, "auto")
    return bool(value == "auto")


def refuse_settings(settings: Mapping[str, Any], path: Path) -> None:
    """UsageError for a stage, a setting or a place of offloading that is not supported."""
    if settings.get("stage") not in (1, 2, 3):
        raise UsageError(
            f"--deepspeed-config {path}: {ZERO}.stage {settings.get('stage')}: expected 1, 2 or 3; "
            "without ZeRO use --parallel ddp"
        )
    if unknown := sorted(settings.keys() - USED):
        raise UsageError(f"--deepspeed-config {path}: {ZERO}.{unknown[0]} is not supported; remove it")
    for name in ("offload_optimizer", "offload_param"):
        place = (settings.get(name) or {}).get("device", "none")
        if place not in ("cpu", "none"):
            raise UsageError(f"--deepspeed-config {path}: {name} to {place} is not supported; use cpu or none")
    if settings["stage"] < 3 and (settings.get("offload_param") or {}).get("device", "none") != "none":
        raise UsageError(f"--deepspeed-config {path}: offload_param needs stage 3, not {settings['stage']}")
