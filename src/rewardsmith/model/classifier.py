"""A folder or hub name to transformers' sequence classifier with one output, in fp32, with the head it came with."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rewardsmith.errors import ModelError
from rewardsmith.model.adapter_folders import base_of, has_own_head, merge_adapter
from rewardsmith.model.folders import ModelFolder, has_tokenizer, inspect_folder
from rewardsmith.model.generic_classifier import ensure_classifier
from rewardsmith.model.intact import check_model
from rewardsmith.model.network import find_head, name_of
from rewardsmith.model.public_heads import (
    Choice,
    Origin,
    adopt_value_head,
    choose_label,
    kept_head,
    with_normalizer,
)
from rewardsmith.model.quiet import quiet_transformers

NEW_PARTS = ("pooler", "score", "classifier", "classification_head", "summary", "head")  # may lie outside a backbone

PER_LAYER = ("layer", "window")  # in the names of lists that describe layers one by one


@dataclass(frozen=True)
class Classifier:
    """The opened classifier, whether its head had to be made new, what it came as, and where its tokenizer lies."""

    hf: Any
    head_is_new: bool
    origin: Origin
    tokenizer: str


def load_classifier(path: str, *, layers: int | None, trust_remote_code: bool, choice: Choice) -> Classifier:
    """Open a model, a value-head checkpoint, or a LoRA adapter with its base; ModelError in one line."""
    folder = inspect_folder(Path(path)) if Path(path).is_dir() else None
    if folder is not None and folder.adapter is not None:
        return load_adapted(folder, layers=layers, trust_remote_code=trust_remote_code, choice=choice)
    config, names = load_config(path, layers=layers, trust_remote_code=trust_remote_code)
    hf, absent, outputs = load_weights(path, config, trust_remote_code=trust_remote_code)
    own, head = head_of(hf)
    refuse_missing(path, absent, own)
    labels = names if len(names) == outputs else tuple(f"LABEL_{k}" for k in range(outputs))
    if not any(key.rpartition(".")[0] == own for key in absent):
        origin = with_normalizer(kept_head(folder, config, own, head), config)
        return Classifier(hf, False, origin, path)
    if folder is not None and labels and choice.label is not None:
        return Classifier(hf, False, choose_label(folder, labels, head, own, choice), path)
    adopted = adopt_value_head(folder, config, head, own) if folder is not None and own == "score" else None
    origin = with_normalizer(adopted or Origin(labels=labels), config)
    return Classifier(hf, adopted is None, origin, path)


def load_adapted(folder: ModelFolder, *, layers: int | None, trust_remote_code: bool, choice: Choice) -> Classifier:
    """A LoRA adapter merged into its base, with the head of the adapter, of LLaMA-Factory's file, or of the base."""
    base = base_of(folder, choice.base)
    if Path(base).is_dir():
        check_model(Path(base))
    opened = load_classifier(base, layers=layers, trust_remote_code=trust_remote_code, choice=choice)
    hf = merge_adapter(opened.hf, folder)
    own, head = head_of(hf)
    tokenizer = str(folder.path) if has_tokenizer(folder.path) else opened.tokenizer
    if has_own_head(folder, own):
        found: Origin | None = Origin(head=f"{own} of the adapter")
    else:
        found = adopt_value_head(folder, hf.config, head, own)
    origin = found or opened.origin
    merged = f"LoRA adapter merged into {Path(base).name if Path(base).is_dir() else base}"  # is saved: no paths
    return Classifier(
        hf,
        opened.head_is_new and found is None,
        replace(origin, head=f"{origin.head} ({merged})" if origin.head else ""),
        tokenizer,
    )


def load_config(path: str, *, layers: int | None, trust_remote_code: bool) -> tuple[Any, tuple[str, ...]]:
    """The config cut to `layers` with one output, and the labels that it had before."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    except Exception as error:  # configs raise many kinds, all of them about the file
        raise ModelError(unreachable(path, error)) from error
    names = tuple(str(name) for _, name in sorted((getattr(config, "id2label", None) or {}).items()))
    ensure_classifier(config)
    keep_layers(config, layers)
    config.num_labels = 1
    return config, names


def load_weights(path: str, config: Any, *, trust_remote_code: bool) -> tuple[Any, set[str], int]:
    """The model, the weights that its files lack or hold in another shape, and how many outputs a stored head has."""
    from transformers import AutoModelForSequenceClassification

    try:
        with quiet_transformers():  # what is missing or has another shape is judged below
            hf, info = AutoModelForSequenceClassification.from_pretrained(
                path,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except Exception as error:  # opening raises many kinds, all of them about the files
        raise ModelError(unreachable(path, error)) from error
    own = head_of(hf)[0]
    mismatched = {str(key): shape for key, shape, *_ in info["mismatched_keys"]}
    outputs = mismatched.get(f"{own}.weight", (0,))[0]
    other = sorted(key for key in mismatched if key.rpartition(".")[0] != own)
    if other:
        raise ModelError(
            f"{path}: {other[0]} has the shape {list(mismatched[other[0]])}, its config.json says otherwise; weights and "
            "config are not of one model"
        )
    return hf, {str(key) for key in info["missing_keys"]} | set(mismatched), int(outputs)


def head_of(hf: Any) -> tuple[str, Any]:
    """Name and module of the head with one output."""
    head = find_head(hf)
    return name_of(hf, head), head


def refuse_missing(path: str, absent: set[str], own: str) -> None:
    """A backbone with random weights in the middle is no pretrained model; heads and poolers may be new."""
    broken = sorted(
        key for key in absent if key.rpartition(".")[0] != own and not any(part in key for part in NEW_PARTS)
    )
    if broken:
        raise ModelError(
            f"{path} lacks weights of its backbone ({broken[0]} and {len(broken) - 1} more); is it complete?"
        )


def keep_layers(config: Any, layers: int | None) -> None:
    """Cut a config to its first `layers` layers, with every list that describes them one by one."""
    if layers is None:
        return
    text = config.get_text_config()
    count = text.num_hidden_layers
    if not 1 <= layers <= count:
        raise ModelError(f"--layers {layers}: the model has {count} layers; choose 1 to that many")
    lists = {
        name: list(value)[:layers]
        for name, value in vars(text).items()
        if any(part in name for part in PER_LAYER) and isinstance(value, list | tuple) and len(value) == count
    }
    try:
        text.num_hidden_layers = layers
    except NotImplementedError as error:
        raise ModelError(
            f"--layers {layers}: {text.model_type} does not count its layers this way; leave it out"
        ) from error
    for name, value in lists.items():
        setattr(text, name, value)
    text.use_cache = False  # a cut hybrid may be left without the attention layer that its cache asks


def unreachable(path: str, error: Exception) -> str:
    """One line on why a model could not be opened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = (lines[0] if lines else type(error).__name__)[:200]
    if Path(path).is_dir():
        return f"cannot open the model in {path}: {cause}"
    return (
        f"cannot fetch {path!r} from the hub ({cause}); offline choices: tiny, smollm2-135m, minilm-l6 "
        "(rewardsmith models get NAME), or a folder"
    )
