"""A folder or hub name to transformers' sequence classifier with one output, in fp32, with the head it came with."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rewardsmith.errors import ModelError
from rewardsmith.model.checkpoint.intact import check_model
from rewardsmith.model.forward.network import find_head, name_of
from rewardsmith.model.inspection.config import leave_out_kernels, refuse_config, refuse_sizes, refuse_whole_numbers
from rewardsmith.model.inspection.remote_code import code_not_run, refuse_unknown_family
from rewardsmith.model.inspection.token_rows import make_room
from rewardsmith.model.inspection.unknown_weights import refuse_unknown
from rewardsmith.model.loading.adapter_folders import base_of, has_own_head, merge_adapter, refuse_other_adapters
from rewardsmith.model.loading.folders import VALUE_HEAD, ModelFolder, has_tokenizer, inspect_folder
from rewardsmith.model.loading.generic_classifier import ensure_classifier
from rewardsmith.model.loading.locating import locate, unreachable
from rewardsmith.model.loading.tokenizer import load_tokenizer
from rewardsmith.model.loading.value_heads import (
    Choice,
    Origin,
    adopt_value_head,
    choose_label,
    head_weights,
    kept_head,
    with_normalizer,
)
from rewardsmith.model.runtime.quiet import quiet_transformers

NONE: frozenset[str] = frozenset()
PER_LAYER = ("layer", "window")  # in the names of lists that describe layers one by one


@dataclass(frozen=True)
class Classifier:
    """The opened classifier, whether its head had to be made new, what it came as, and where its tokenizer lies.

    `code_not_run` names the parts for which the model brings code that was not used, `notes` what else was left out.
    """

    hf: Any
    head_is_new: bool
    origin: Origin
    tokenizer: str
    code_not_run: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadedWeights:
    """A model as transformers fills it from files: the weights that they lack or hold in another shape (`absent`), those
    that it does not know (`unknown`), and how many outputs a stored head has.
    """

    hf: Any
    absent: frozenset[str]
    unknown: frozenset[str]
    outputs: int


def load_classifier(path: str, *, layers: int | None, trust_remote_code: bool, choice: Choice) -> Classifier:
    """Open a model's folder, a value-head checkpoint, or a LoRA adapter with its base; ModelError in one line."""
    folder = inspect_folder(Path(path))
    if folder.adapter is not None:
        return load_adapted(folder, layers=layers, trust_remote_code=trust_remote_code, choice=choice)
    refuse_config(folder)
    refuse_whole_numbers(folder.weights)
    refuse_unknown_family(folder.path, folder.config, trusted=trust_remote_code)
    opened = load_config(folder, layers=layers, trust_remote_code=trust_remote_code)
    refuse_sizes(folder, opened.config, trust_remote_code=trust_remote_code)
    loaded = load_weights(path, opened.config, trust_remote_code=trust_remote_code)
    origin = origin_of(folder, opened, loaded, choice)
    brings_head = bool(origin.head)
    refuse_missing(path, loaded, head_is_new=not brings_head)
    unknown = loaded.unknown | beside_model(folder)
    refuse_unknown(path, loaded.hf, unknown, folder.weights, used=origin.weights, cut_from=opened.layers)
    return Classifier(
        loaded.hf,
        not brings_head,
        with_normalizer(origin, opened.config),
        path,
        code_not_run(folder.config, trusted=trust_remote_code),
        opened.notes,
    )


def origin_of(folder: ModelFolder, opened: "OpenedConfig", loaded: LoadedWeights, choice: Choice) -> Origin:
    """What the head came as; a value head or a chosen label is copied into the class's own."""
    own, head = head_of(loaded.hf)
    lacking = sorted(key for key in loaded.absent if key.rpartition(".")[0] == own)
    if not lacking:
        return kept_head(folder, opened.config, own, head)
    if not loaded.outputs:
        refuse_half_head(folder, own, lacking[0])
    labels = labels_of(opened, loaded.outputs)
    if labels and choice.label is not None:
        return choose_label(folder, labels, head, own, choice)
    adopted = adopt_value_head(folder, opened.config, head, own) if own == "score" else None
    replaced = head_weights(own) if loaded.outputs else NONE
    return adopted or Origin(labels=labels, weights=replaced)


def refuse_half_head(folder: ModelFolder, own: str, lacking: str) -> None:
    """ModelError where one half of the head `own` is there and `lacking` is not."""
    if any(weight.name in head_weights(own) for weight in folder.weights):
        raise ModelError(f"{folder.path} lacks {lacking}, which is part of its head; check that the copy is complete")


def labels_of(opened: "OpenedConfig", outputs: int) -> tuple[str, ...]:
    """The labels of a stored head with so many outputs: those of the config, or transformers' own names."""
    return opened.labels if len(opened.labels) == outputs else tuple(f"LABEL_{k}" for k in range(outputs))


def load_adapted(folder: ModelFolder, *, layers: int | None, trust_remote_code: bool, choice: Choice) -> Classifier:
    """A LoRA adapter merged into its base, with the head of the adapter, of LLaMA-Factory's file, or of the base."""
    refuse_other_adapters(folder)
    base = base_of(folder, choice.base)
    place = base if Path(base).is_dir() else locate(base)
    check_model(Path(place))
    opened = load_classifier(place, layers=layers, trust_remote_code=trust_remote_code, choice=choice)
    tokenizer = str(folder.path) if has_tokenizer(folder.path) else opened.tokenizer
    make_room(opened.hf, folder, load_tokenizer(tokenizer, trust_remote_code=trust_remote_code), Path(tokenizer))
    hf = merge_adapter(opened.hf, folder)
    own, head = head_of(hf)
    if has_own_head(folder, own):
        found: Origin | None = Origin(head=f"{own} of the adapter")
    else:
        found = adopt_value_head(folder, hf.config, head, own)
    beside = beside_model(folder)
    refuse_unknown(str(folder.path), hf, beside, folder.weights, used=found.weights if found else NONE, cut_from=None)
    origin = found or opened.origin
    merged = f"LoRA adapter merged into {Path(base).name if Path(base).is_dir() else base}"  # is saved: no paths
    return replace(
        opened,
        hf=hf,
        head_is_new=opened.head_is_new and found is None,
        origin=replace(origin, head=f"{origin.head} ({merged})" if origin.head else ""),
        tokenizer=tokenizer,
    )


@dataclass(frozen=True)
class OpenedConfig:
    """A config with one output, cut to the layers that are kept: how many there were before (None: all are kept), the
    labels that it had, and what was left out of it.
    """

    config: Any
    labels: tuple[str, ...]
    layers: int | None
    notes: tuple[str, ...]


def load_config(folder: ModelFolder, *, layers: int | None, trust_remote_code: bool) -> OpenedConfig:
    """The config of a model's folder; ModelError where it has no such layers or describes no classifier."""
    from transformers import AutoConfig

    path = str(folder.path)
    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    except Exception as error:  # configs raise many kinds, all of them about the file
        raise ModelError(unreachable(path, error)) from error
    names = tuple(str(name) for _, name in sorted((getattr(config, "id2label", None) or {}).items()))
    note = "" if trust_remote_code else leave_out_kernels(config)
    if not trust_remote_code and hasattr(config, "auto_map"):
        del config.auto_map  # else it would be saved with a model that its code has no part in
    ensure_classifier(config)
    before = keep_layers(config, layers)
    config.num_labels = 1
    return OpenedConfig(config, names, before, (note,) if note else ())


def load_weights(path: str, config: Any, *, trust_remote_code: bool) -> LoadedWeights:
    """The model with the weights of its files; ModelError where one other than the head has another shape."""
    from transformers import AutoModelForSequenceClassification

    try:
        with quiet_transformers():  # what is missing, unknown or has another shape is judged by whoever asked
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
            f"{path}: {other[0]} has the shape {list(mismatched[other[0]])}, which does not match config.json; the "
            "weights and the config are not of the same model"
        )
    absent = {str(key) for key in info["missing_keys"]} | set(mismatched)
    return LoadedWeights(hf, frozenset(absent), frozenset(map(str, info["unexpected_keys"])), int(outputs))


def beside_model(folder: ModelFolder) -> frozenset[str]:
    """The names of weights in LLaMA-Factory's file of the head, which transformers does not read."""
    return frozenset(weight.name for weight in folder.weights if weight.file.name == VALUE_HEAD)


def head_of(hf: Any) -> tuple[str, Any]:
    """Name and module of the head with one output."""
    head = find_head(hf)
    return name_of(hf, head), head


def refuse_missing(path: str, loaded: LoadedWeights, *, head_is_new: bool) -> None:
    """ModelError where weights would be drawn at random in a model that is trained.

    With a new head, all that stands behind the backbone may be new, and its pooler.
    """
    hf, own = loaded.hf, head_of(loaded.hf)[0]
    absent = sorted(key for key in loaded.absent if key.rpartition(".")[0] != own)
    if head_is_new:
        absent = [key for key in absent if key.startswith(f"{hf.base_model_prefix}.") and ".pooler." not in key]
    if absent:
        raise ModelError(
            f"{path} lacks weights ({absent[0]} and {len(absent) - 1} more); check that the copy is complete"
        )


def keep_layers(config: Any, layers: int | None) -> int | None:
    """Cut a config to its first `layers` layers, with every list that describes them one by one.

    Returns how many there were before, None where all are kept.
    """
    if layers is None:
        return None
    text = config.get_text_config()
    count = text.num_hidden_layers
    if not 1 <= layers <= count:
        raise ModelError(f"--layers {layers}: the model has {count} layers; expected 1 to {count}")
    lists = {
        name: list(value)[:layers]
        for name, value in vars(text).items()
        if any(part in name for part in PER_LAYER) and isinstance(value, list | tuple) and len(value) == count
    }
    try:
        text.num_hidden_layers = layers
    except NotImplementedError as error:
        raise ModelError(f"--layers {layers}: not supported for {text.model_type}; remove it") from error
    for name, value in lists.items():
        setattr(text, name, value)
    text.use_cache = False  # a cut hybrid may be left without the attention layer that its cache asks
    return int(count)
