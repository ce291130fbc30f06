"""Code that a model brings along (`auto_map`): run where `--trust-remote-code` says so, else refused or said.

transformers opens a family that it knows with its own class where the code is not to be run, without a word. A backbone for
a new head may be opened so, which is noted; a reward that was made by other code may not.
"""

from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError
from rewardsmith.model.loading.folders import read_object

CLASSIFIER = "AutoModelForSequenceClassification"
TOKENIZER_CONFIG = "tokenizer_config.json"


def code_not_run(config: dict[str, Any], *, trusted: bool) -> tuple[str, ...]:
    """The parts for which config.json names code that is not run."""
    parts = mapped(config)
    if not trusted:
        return tuple(parts)
    return () if CLASSIFIER in parts else tuple(part for part in parts if part.startswith("AutoModel"))


def tokenizer_code_not_run(folder: Path, *, trusted: bool) -> tuple[str, ...]:
    """The same for the tokenizer."""
    if trusted or not (folder / TOKENIZER_CONFIG).is_file():
        return ()
    return tuple(part for part in mapped(read_object(folder / TOKENIZER_CONFIG)) if part == "AutoTokenizer")


def mapped(config: dict[str, Any]) -> list[str]:
    """For which parts a config names code of its own; a bare list is an old form, of tokenizers alone."""
    found = config.get("auto_map")
    if isinstance(found, dict):
        return sorted(str(part) for part, code in found.items() if code)
    return ["AutoTokenizer"] if found else []


def refuse_unknown_family(folder: Path, config: dict[str, Any], *, trusted: bool) -> None:
    """ModelError for a family that only the code that comes along knows."""
    from transformers import CONFIG_MAPPING

    family = config.get("model_type")
    if not trusted and mapped(config) and family not in CONFIG_MAPPING:
        raise ModelError(
            f"{folder} has the model type {family!r}, which transformers does not support; the model comes with its "
            "own code (auto_map), which is executed only with --trust-remote-code"
        )


def settle_code(path: str, not_run: tuple[str, ...], *, brings_head: bool, trusted: bool) -> str:
    """The note that a new head stands on a class other than the model's own; "" where all code is run or none is there.

    ModelError where the model brings its reward head: its rewards may be those of that code alone.
    """
    if not not_run:
        return ""
    named = ", ".join(not_run)
    if brings_head and trusted:
        raise ModelError(
            f"{path} refers to its own code (auto_map: {named}) but not for {CLASSIFIER}, so that code is not executed "
            "and the rewards may differ; remove auto_map if the model was trained with the transformers class"
        )
    if brings_head:
        raise ModelError(
            f"{path} refers to its own code (auto_map: {named}), which is not executed, so the rewards may differ; "
            "pass --trust-remote-code if you trust the code, or remove auto_map if the model was trained with the "
            "transformers class"
        )
    return (
        f"the model refers to its own code (auto_map: {named}), which is not executed; the transformers class is used"
    )
