"""A Hugging Face folder that every reader of the field opens with the same rewards: transformers 4.57 and 5, TRL, vLLM.

transformers 5 writes some keys that 4.57 misreads without a word (the rotary base, the tokenizer's class); this module
writes them in both ways.
"""

import json
from pathlib import Path
from typing import Any

from rewardsmith.files import write_text
from rewardsmith.model.forward.attention.tree import TREE_ATTENTION
from rewardsmith.model.forward.network import PLAIN_ATTENTION
from rewardsmith.model.runtime.quiet import quiet_transformers
from rewardsmith.scoring.contract import ScoringContract

NOT_LINEAR = "RewardsmithGatedModel"
NEW_TOKENIZER_KEYS = ("backend", "is_local", "local_files_only")


def save_hf_folder(hf: Any, tokenizer: Any, contract: ScoringContract, folder: Path, *, linear: bool = True) -> None:
    """Write weights (safetensors), config and tokenizer into `folder`; the pinned template goes with the tokenizer.

    A reward that is not `linear` is not what the class computes: the model is named NOT_LINEAR, which other readers refuse.
    """
    save_plain_folder(hf, tokenizer, contract.template, folder)
    patch_config(folder / "config.json", linear=linear)


def save_plain_folder(hf: Any, tokenizer: Any, template: str | None, folder: Path) -> None:
    """Write a model of any class, for a language model too, with this chat template (None: it has none)."""
    implementation = hf.config._attn_implementation
    if implementation == TREE_ATTENTION:  # known to this process only
        hf.config._attn_implementation = PLAIN_ATTENTION
    own = tokenizer.chat_template
    tokenizer.chat_template = template
    try:
        with quiet_transformers():
            hf.save_pretrained(folder, safe_serialization=True)
            tokenizer.save_pretrained(folder)
    finally:
        hf.config._attn_implementation = implementation
        tokenizer.chat_template = own
    patch_rope(folder / "config.json")
    patch_tokenizer(folder / "tokenizer_config.json", template, fast=tokenizer.is_fast)


def patch_config(path: Path, *, linear: bool) -> None:
    """Write what vLLM and others read of a classifier."""
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if not linear:
        config["architectures"] = [NOT_LINEAR]
    config["problem_type"] = "regression"
    config["num_labels"] = 1
    write_text(path, json.dumps(config, ensure_ascii=False, indent=2) + "\n")


def patch_rope(path: Path) -> dict[str, Any]:
    """Write the rotary settings and the dtype where transformers 4 looks for them; returns the config."""
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        config["rope_theta"] = rope["rope_theta"]
        scaling = {key: value for key, value in rope.items() if key != "rope_theta"}
        config["rope_scaling"] = None if scaling.get("rope_type", "default") == "default" else scaling
    config["torch_dtype"] = config.get("dtype", "float32")
    write_text(path, json.dumps(config, ensure_ascii=False, indent=2) + "\n")
    return config


def patch_tokenizer(path: Path, template: str | None, *, fast: bool) -> None:
    """Name the tokenizer class that 4.57 knows too, and keep the template inside for readers that look there."""
    config = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key not in NEW_TOKENIZER_KEYS}
    extra = config.get("extra_special_tokens")
    if isinstance(extra, list):  # 4.57 takes only a mapping under this name
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    if fast:  # one written in Python has no tokenizer.json and keeps its own class
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    if template is not None:
        config["chat_template"] = template
    write_text(path, json.dumps(config, ensure_ascii=False, indent=2) + "\n")
