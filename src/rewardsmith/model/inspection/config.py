"""What config.json asks for, looked at before transformers acts on it.

Nothing in it may make transformers read other weights, fetch code, or build a model that its weights do not fill: each is
refused in one line, or left out and said.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import torch

from rewardsmith.errors import ModelError, first_line
from rewardsmith.model.loading.folders import ModelFolder, Weight

QUANTIZED = ("quantization_config", "compression_config")
OTHER_WEIGHTS = ("transformers_weights", "fusion_config")
"""Keys by which transformers reads another file than the usual one, or puts other layers in place."""
BUILT_IN_ATTENTION = ("eager", "sdpa", "flex_attention")
COUNTS = re.compile(r"(layers?|blocks?|block_sizes|labels|experts|heads|groups|attention_types)$")
"""Ends of the names of what transformers makes one by one: a list entry, or a module."""
MOST_PARTS = 1000
MOST_LABELS = 100_000
HARMLESS = re.compile(r"theta|_id$|_ids$|seed")
POSITIONS = re.compile(r"position|length|window|context|seq|chunk")
USUAL_SIZE, USUAL_LENGTH = 1024, 32_768
SLACK_BYTES = 2**30


def refuse_config(folder: ModelFolder) -> None:
    """ModelError for a config that cannot be followed: quantised weights, weights elsewhere, more parts than weights."""
    path = folder.path / "config.json"
    refuse_quantized(folder)
    for key in OTHER_WEIGHTS:
        if folder.config.get(key) is not None:
            raise ModelError(f"{path} has the key {key!r}, which refers to weights elsewhere; remove it")
    for name, value in integers(folder.config):
        most = MOST_LABELS if name.endswith("labels") else max(MOST_PARTS, len(folder.weights))
        if COUNTS.search(name) and value > most:
            raise ModelError(
                f"{path} has {name} {value}, but the weights contain {len(folder.weights)} tensors; copy or download "
                "it again"
            )


def refuse_quantized(folder: ModelFolder) -> None:
    """ModelError where the config, or that of its language model, says that the weights are quantised."""
    for config in (folder.config, folder.config.get("text_config")):
        for key in QUANTIZED:
            if isinstance(config, dict) and config.get(key):
                raise ModelError(
                    f"{folder.path} is quantised ({method_of(config[key])}), which is not supported; dequantise it "
                    "with transformers (see docs/models.md) and pass that folder"
                )


def method_of(quantization: Any) -> str:
    """How weights were quantised, in words."""
    known = quantization if isinstance(quantization, dict) else {}
    bits = next((n for n in (4, 8) if known.get(f"load_in_{n}bit")), known.get("bits"))
    method = known.get("quant_method") or ("bitsandbytes" if bits else "?")
    return f"{method}, {bits} bits" if bits else str(method)


def integers(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Every whole number of a config with the name of the key that it stands under."""
    waiting = [(name, value)]
    while waiting:  # no recursion: a file may be nested as deep as its reader bears
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), entry) for key, entry in value.items()]
        elif isinstance(value, list):
            waiting += [(name, entry) for entry in value]
        elif isinstance(value, int) and not isinstance(value, bool):
            yield name, value


def refuse_sizes(folder: ModelFolder, config: Any, *, trust_remote_code: bool) -> None:
    """ModelError where the config asks for far more memory than the weights take.

    The model is built without memory to find that out, which takes as long as a tenth of opening a small one: so only
    where the config names a size that no tensor has.
    """
    if not names_other_sizes(folder):
        return
    from transformers import AutoModelForSequenceClassification

    held = 4 * sum(math.prod(weight.shape) for weight in folder.weights)
    try:
        with torch.device("meta"):
            hf = AutoModelForSequenceClassification.from_config(config, trust_remote_code=trust_remote_code)
        asked = sum(tensor.numel() * tensor.element_size() for tensor in (*hf.parameters(), *hf.buffers()))
    except Exception as error:  # classes raise many kinds, all of them about the config
        cause = first_line(error)[:200]
        raise ModelError(f"{folder.path / 'config.json'} does not describe a valid model: {cause}") from error
    if asked > 2 * held + SLACK_BYTES:
        raise ModelError(
            f"{folder.path / 'config.json'} describes a model of {asked:,} bytes, but the weights have {held:,} bytes; "
            "the weights and the config are not of the same model"
        )


def names_other_sizes(folder: ModelFolder) -> bool:
    """Whether the config holds a size out of the usual that no tensor has."""
    sizes = {size for weight in folder.weights for size in weight.shape}
    return any(
        value > (USUAL_LENGTH if POSITIONS.search(name) else USUAL_SIZE) and value not in sizes
        for name, value in integers(folder.config)
        if not HARMLESS.search(name)
    )


def leave_out_kernels(config: Any) -> str:
    """Take out attention that is not transformers' own, for which it would fetch code; the note about it, "" without."""
    parts = [config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", {}))]
    asked = {str(getattr(part, "_attn_implementation", None)) for part in parts if part is not None}
    strange = sorted(asked - {*BUILT_IN_ATTENTION, "None"})
    if not strange:
        return ""
    config._attn_implementation = None
    return (
        f"config.json selects the attention {strange[0]!r}, which is external code and is not executed without "
        "--trust-remote-code; the attention of transformers is used"
    )


def refuse_whole_numbers(weights: tuple[Weight, ...]) -> None:
    """ModelError where a weight is stored in whole numbers: packed or scaled, it is not what stands in the file."""
    packed = [
        w
        for w in weights
        if w.dtype[0] in "IU" and (w.name.endswith("weight") or (w.name.endswith("bias") and len(w.shape) == 1))
    ]  # a mask, which older files hold, may be called a bias
    if packed:
        raise ModelError(
            f"{packed[0].file} has {packed[0].name} as integers ({packed[0].dtype}), as in quantised models; "
            "dequantise the model with transformers (see docs/models.md) and pass that folder"
        )
