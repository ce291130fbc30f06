"""Where the weights of a language model's head come from: its embeddings where they are tied, else its folder.

Most small models tie them; a sequence classifier has the embeddings and nothing else of the head.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError
from rewardsmith.model.language_head.head import NAME, LanguageHead
from rewardsmith.model.loading.folders import Weight, inspect_folder
from rewardsmith.model.loading.value_heads import read_tensor

SCALINGS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier_scale")
"""Settings of families whose logits are more than a linear map of the state (Gemma 2, Cohere, Granite, Falcon-H1, …)."""


def attach_language_head(network: Any, folder: Path | None, *, learns: bool) -> LanguageHead:
    """Give a network the head of the language model in `folder` (None: the tiny model, whose embeddings it is made of).

    ModelError for encoders, for families whose logits are scaled, and where the folder holds no such head.
    """
    head = read_language_head(network.hf, network.kind, folder)
    for parameter in head.parameters():
        parameter.requires_grad_(learns)
    network.hf.add_module(NAME, head.to(network.device))
    return head


def read_language_head(hf: Any, kind: str, folder: Path | None) -> LanguageHead:
    """The head that fits a classifier `hf`, from the folder of the language model where it is not tied to the embeddings."""
    if kind != "decoder":
        raise ModelError(f"{type(hf).__name__} is an encoder, which predicts no next token; use a decoder")
    refuse_scaled(hf)
    if folder is None or getattr(hf.config.get_text_config(), "tie_word_embeddings", False):
        return LanguageHead(None, None)
    weights = inspect_folder(folder).weights
    found = head_among(weights, hf)
    if found is None:
        raise ModelError(
            f"{folder} has no language-model head (a matrix of the size of the embeddings, usually lm_head.weight); start "
            "from the folder of the language model"
        )
    name = found.name.removesuffix("weight") + "bias"
    bias = next((weight for weight in weights if weight.name == name), None)
    return LanguageHead(read_tensor(found).float(), None if bias is None else read_tensor(bias).float())


def language_folder(hf: Any, given: Path | None, training: Mapping[str, Any]) -> Path | None:
    """Where to read the head of the language model that a reward model was made from: None where it is tied, or the tiny
    model; ModelError where it is not, and no folder is given.
    """
    tied = getattr(hf.config.get_text_config(), "tie_word_embeddings", False)
    if given is not None:
        return None if tied else given
    if tied or (training.get("base_model") or {}).get("name") == "tiny":
        return None
    raise ModelError(
        f"{type(hf).__name__} does not tie its language-model head to its embeddings; give the folder of the language model "
        "that training started from with --base"
    )


def refuse_scaled(hf: Any) -> None:
    """ModelError for a family whose logits are scaled behind its head."""
    config = hf.config.get_text_config()
    for name in SCALINGS:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise ModelError(
                f"{type(hf).__name__} scales its logits ({name} is {getattr(config, name)}), which is not supported for "
                "losses on text"
            )


def head_among(weights: Sequence[Weight], hf: Any) -> Weight | None:
    """The one matrix of the size of the embeddings that is no part of the classifier."""
    rows, width = hf.get_input_embeddings().weight.shape
    own = list(hf.state_dict())
    found = [
        weight
        for weight in weights
        if weight.name.endswith("weight")
        and len(weight.shape) == 2
        and weight.shape[1] == width
        and rows - 1 <= weight.shape[0] <= rows  # a pad token may have been added
        and not any(name.endswith(weight.name) or weight.name.endswith(name) for name in own)
    ]
    return found[0] if len(found) == 1 else None
