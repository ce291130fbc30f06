"""A critiqued reward model on disk: a folder that nobody takes for a scalar model, with a plain language model inside.

    config.json            architecture and model_type that plain transformers refuses
    cloud.json             how critiques are written
    reward.json            contract, probes, normaliser, calibration, as of every model
    heads/cloud.safetensors   the reward head
    language_model/        a Hugging Face folder that transformers, vLLM and `rewardsmith generate` open

The probes are conversations without a critique, whose rewards prove that weights and tokens are those that were saved.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from rewardsmith.critique.critic import CritiqueSettings
from rewardsmith.errors import ContractError, ModelError
from rewardsmith.files import write_folder, write_json
from rewardsmith.files.kinds import MODEL
from rewardsmith.files.manifest import listed
from rewardsmith.files.reading import read_object, refuse_types, taking_from
from rewardsmith.model.checkpoint.hf_folder import save_hf_folder
from rewardsmith.model.checkpoint.intact import check_model, model_faults, seal_model
from rewardsmith.model.checkpoint.probes import find_mismatch, scored_probes
from rewardsmith.model.checkpoint.sidecar import Sidecar
from rewardsmith.model.heads.head import file_of
from rewardsmith.model.inspection.finite import refuse_values
from rewardsmith.model.language_head.head import language_head_of
from rewardsmith.model.language_head.weights import attach_language_head
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.folders import CLOUD
from rewardsmith.model.loading.locating import locate
from rewardsmith.model.reward_model import RewardModel

ARCHITECTURE, MODEL_TYPE = "RewardsmithCloud", "rewardsmith_cloud"
"""Names that plain transformers does not know, so that it refuses the folder."""
LANGUAGE_MODEL = "language_model"
HEAD = "cloud"
VERSION = 1


def save_folder(
    model: RewardModel,
    settings: CritiqueSettings,
    folder: Path,
    *,
    training: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write the folder with fresh probes; an adapter must be merged first."""
    if model.adapter is not None:
        raise ModelError("the adapter of this model is not merged; call merge_adapter() first")
    network = model.network
    autocast, network.autocast = network.autocast, None
    was_training = network.training
    network.eval()
    try:
        model.sidecar = replace(
            model.sidecar,
            probes=scored_probes(model.encoder, network),
            probed_on=network.device.type,
            training=dict(training or model.sidecar.training),
        )
        write_folder(folder, lambda path: fill(path, model, settings), MODEL, overwrite=overwrite)
    finally:
        network.autocast = autocast
        network.train(was_training)


def fill(folder: Path, model: RewardModel, settings: CritiqueSettings) -> None:
    """Write all files and seal them."""
    inner = folder / LANGUAGE_MODEL
    inner.mkdir()
    save_hf_folder(language_model_of(model), model.tokenizer, model.contract, inner)
    plain = json.loads((inner / "config.json").read_text("utf-8"))
    write_json(inner / "config.json", {key: value for key, value in plain.items() if key not in OF_A_CLASSIFIER})
    write_json(folder / "config.json", {"architectures": [ARCHITECTURE], "model_type": MODEL_TYPE})
    write_json(folder / CLOUD, {"format": MODEL_TYPE, "version": VERSION, "critique": settings.to_json()})
    model.sidecar.save(folder)
    path = file_of(folder, HEAD)
    path.parent.mkdir()
    save_file({"weight": model.network.head.weight.detach().float().cpu().contiguous()}, path)
    seal_model(folder)


OF_A_CLASSIFIER = frozenset({"num_labels", "problem_type", "id2label", "label2id"})


def language_model_of(model: RewardModel) -> Any:
    """The causal language model of the same weights: the backbone, and the head that critiques are written with."""
    hf, head = model.network.hf, language_head_of(model.network)
    if head is None:
        raise ModelError("this model has no language-model head, so it writes no critiques")
    config = copy.deepcopy(hf.config)
    config.get_text_config().tie_word_embeddings = config.tie_word_embeddings = head.weight is None
    with torch.device("meta"):
        causal = AutoModelForCausalLM.from_config(config)
    setattr(causal, causal.base_model_prefix, hf.base_model)
    output = causal.get_output_embeddings()
    output.weight = hf.get_input_embeddings().weight if head.weight is None else head.weight
    if head.bias is not None:
        output.bias = head.bias
    if any(parameter.is_meta for parameter in causal.parameters()):
        raise ModelError(f"{type(causal).__name__} has weights beside its backbone and head, which is not supported")
    return causal


def open_parts(
    path: Path, *, device: str, dtype: str, allow_mismatch: bool, trust_remote_code: bool
) -> tuple[RewardModel, CritiqueSettings]:
    """The reward network with its head of language, and how critiques are written; ContractError where a part is not that
    of the others.
    """
    folder = Path(locate(str(path)))
    if not (folder / CLOUD).is_file():
        raise ModelError(f"{folder} is not a CLoud model: it has no {CLOUD}")
    if not allow_mismatch:
        check_model(folder)
    settings, sidecar = read_settings(folder), Sidecar.load(folder)
    if sidecar is None:
        raise ContractError(f"{folder} has a {CLOUD} but no reward.json; copy the model again")
    inner = folder / LANGUAGE_MODEL
    backbone = open_backbone(str(inner), trust_remote_code=trust_remote_code, check_files=False)
    model = RewardModel.build(backbone, sidecar.contract, device=device, dtype=dtype)
    weight = read_head(folder)
    if weight.shape != model.network.head.weight.shape:
        raise ContractError(f"{file_of(folder, HEAD)} belongs to a model of another width; copy the model again")
    with torch.no_grad():
        model.network.head.weight.copy_(weight)
    attach_language_head(model.network, inner, learns=False)
    model.sidecar = sidecar
    model.network.eval()
    damage = listed(model_faults(folder)) if allow_mismatch else ""
    model.mismatch = "; ".join(filter(None, (damage, find_mismatch(model.encoder, model.network, sidecar))))
    if model.mismatch and not allow_mismatch:
        raise ContractError(f"{model.mismatch}; pass --allow-mismatch to score anyway")
    return model, settings


def read_settings(folder: Path) -> CritiqueSettings:
    """What `cloud.json` says; ContractError where it is damaged or of a later version."""
    path = folder / CLOUD
    value = read_object(path)
    with taking_from(path):
        if value["version"] != VERSION:
            raise ContractError(f"{path}: version {value['version']!r}; this program reads {VERSION}")
        given = dict(value["critique"])
        refuse_types(given, get_type_hints(CritiqueSettings))
        return CritiqueSettings(**given)


def read_head(folder: Path) -> Float[Tensor, "1 F"]:
    """The weights of the reward head."""
    path = file_of(folder, HEAD)
    try:
        weights = load_file(path)
        weight: Tensor = weights["weight"]
    except (OSError, SafetensorError, KeyError) as error:
        raise ContractError(f"{path} cannot be read, although {CLOUD} exists; copy the model again") from error
    refuse_values(str(path), weights.items())
    return weight
