"""LoRA adapter folders of other programs: found their base, merged into it in fp32."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rewardsmith.errors import MissingExtraError, ModelError
from rewardsmith.files.places import expanded
from rewardsmith.launch.installation import install_command
from rewardsmith.model.inspection.finite import refuse_values
from rewardsmith.model.loading.folders import ADAPTER_WEIGHTS, ModelFolder
from rewardsmith.model.runtime.quiet import quiet_bitsandbytes

LORA = "LORA"
SAVED = ("lora_", "modules_to_save", "trainable_tokens")
"""In the names of all that a LoRA adapter saves."""
LANGUAGE_HEAD = "lm_head"


def base_of(folder: ModelFolder, base: str | None) -> str:
    """The model that an adapter was trained on: `base`, else what its config names; ModelError where it is not there."""
    named = (folder.adapter or {}).get("base_model_name_or_path")
    if base is None and not named:
        raise ModelError(f"{folder.path} is a LoRA adapter that does not name its base model; pass --base FOLDER")
    name = base or str(named)
    local = [expanded(name), folder.path / name, folder.path.parent / name]
    for candidate in local:
        if (candidate / "config.json").is_file():
            return str(candidate)
    if base is None and not may_be_on_hub(name):
        raise ModelError(
            f"{folder.path} is a LoRA adapter whose base model {name} does not exist; merge them: rewardsmith import "
            f"{folder.path} --base FOLDER -o OUT"
        )
    return name


def may_be_on_hub(name: str) -> bool:
    """Whether a name that is no folder here has the form of a model's name on the hub, `owner/model`."""
    return name.count("/") == 1 and not name.startswith(".") and not Path(name).is_absolute()


def refuse_other_adapters(folder: ModelFolder) -> None:
    """ModelError for what is no LoRA adapter (rsLoRA and DoRA are): other kinds are not merged, or fetch models."""
    kind = (folder.adapter or {}).get("peft_type", LORA)
    if kind != LORA:
        raise ModelError(
            f"{folder.path} is an adapter of type {kind}, but only LoRA adapters are supported; merge it with peft "
            "(merge_and_unload) and pass the merged model"
        )


def keep_known_modules(config: Any, hf: Any) -> None:
    """Leave the language model's head out of what the adapter saves: a classifier has none."""
    if config.modules_to_save and not any(name.endswith(LANGUAGE_HEAD) for name, _ in hf.named_modules()):
        config.modules_to_save = [name for name in config.modules_to_save if name != LANGUAGE_HEAD] or None


def merge_adapter(hf: Any, folder: ModelFolder) -> Any:
    """Put the adapter's weights on `hf` and merge them; ModelError where they do not fit it."""
    model = put_adapter(hf, folder)
    with warnings.catch_warnings(), fitting(folder):
        warnings.simplefilter("ignore", FutureWarning)  # of transformers about peft, nothing a user can change
        return model.merge_and_unload().requires_grad_(True)  # peft froze the base


def put_adapter(hf: Any, folder: ModelFolder) -> Any:
    """peft's view of `hf` with the adapter on it; ModelError where its weights do not fit."""
    quiet_bitsandbytes()  # which peft opens where it is installed
    try:
        from peft import PeftConfig, PeftModel, set_peft_model_state_dict
    except ImportError as error:
        raise MissingExtraError(
            f"reading a LoRA adapter needs the package peft; install it with: {install_command('lora')}"
        ) from error
    from safetensors.torch import load_file

    config = PeftConfig.from_pretrained(str(folder.path))
    keep_known_modules(config, hf)
    config.task_type = None  # an adapter of a language model fits the classifier's backbone as well
    config.inference_mode = True
    weights = load_file(folder.path / ADAPTER_WEIGHTS)
    refuse_values(str(folder.path), weights.items())
    with fitting(folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = PeftModel(hf, config)
        result: Any = set_peft_model_state_dict(model, weights)
        refuse_misfit(folder, result)
    return model


@contextlib.contextmanager
def fitting(folder: ModelFolder) -> Iterator[None]:
    """Where peft puts an adapter on a model: what it raises is a ModelError in one line."""
    try:
        yield
    except KeyError as error:
        raise ModelError(
            f"the adapter in {folder.path} lacks {error.args[0]}; check that the copy is complete"
        ) from error
    except (ValueError, RuntimeError, AttributeError) as error:
        cause = " ".join(str(error).split())[:200]
        raise ModelError(f"the adapter in {folder.path} cannot be merged into its base model: {cause}") from error


def refuse_misfit(folder: ModelFolder, result: Any) -> None:
    """ModelError where peft found weights of the adapter without a place, or places without a weight."""
    strange = [key for key in result.unexpected_keys if LANGUAGE_HEAD not in key]
    absent = [key for key in result.missing_keys if any(part in key for part in SAVED)]
    wrong, what = (strange, "have no counterpart") if strange else (absent, "are missing")
    if wrong:
        raise ModelError(
            f"the adapter in {folder.path} does not match its base model ({wrong[0]} and {len(wrong) - 1} more weights "
            f"{what})"
        )


def has_own_head(folder: ModelFolder, own: str) -> bool:
    """Whether the adapter brings the classifier's head along (peft's `modules_to_save`)."""
    return any(weight.name.endswith(f".{own}.weight") for weight in folder.weights)
