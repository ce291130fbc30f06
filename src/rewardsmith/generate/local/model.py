"""A name to a causal language model of transformers and its tokenizer, opened with the checks that reward models get."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rewardsmith.errors import ModelError
from rewardsmith.generate.candidates import digest_of
from rewardsmith.model.checkpoint.intact import check_model
from rewardsmith.model.inspection.config import refuse_config, refuse_whole_numbers
from rewardsmith.model.inspection.finite import refuse_not_finite
from rewardsmith.model.inspection.remote_code import refuse_unknown_family
from rewardsmith.model.inspection.token_rows import refuse_tokens_beyond
from rewardsmith.model.loading.folders import ModelFolder, inspect_folder
from rewardsmith.model.loading.locating import locate, unreachable
from rewardsmith.model.loading.tokenizer import load_tokenizer
from rewardsmith.model.runtime.devices import autocast_dtype, choose_device
from rewardsmith.model.runtime.quiet import quiet_transformers

UNLIMITED = 10**9


@dataclass(frozen=True)
class LanguageModel:
    """An opened model: transformers' model in evaluation mode, its tokenizer, and a hash of where its files lie.

    `ends` are the ids that end a response, `longest` the most tokens of prompt and response (None: no limit is known).
    """

    hf: Any
    tokenizer: Any
    files: str

    @property
    def ends(self) -> frozenset[int]:
        """Those of the generation config, of the config and of the tokenizer, which do not always agree."""
        told = [
            getattr(self.hf.generation_config, "eos_token_id", None),
            self.hf.config.get_text_config().eos_token_id,
            self.tokenizer.eos_token_id,
        ]
        lists = (value if isinstance(value, list | tuple) else [value] for value in told)
        return frozenset(int(each) for value in lists for each in value if each is not None)

    @property
    def longest(self) -> int | None:
        """The smaller of what config and tokenizer say."""
        positions = getattr(self.hf.config.get_text_config(), "max_position_embeddings", None)
        limits = (positions, self.tokenizer.model_max_length)
        return min((int(limit) for limit in limits if limit and limit < UNLIMITED), default=None)


def refuse_no_language_model(name: str) -> ModelFolder:
    """The folder of a language model by its files, none of which is opened as weights; ModelError for anything else."""
    if name == "tiny":
        raise ModelError(
            "tiny is a reward model that starts from nothing and generates no text; expected a language model, such as "
            "smollm2-135m"
        )
    path = locate(name)
    check_model(Path(path))
    folder = inspect_folder(Path(path))
    if folder.adapter is not None:
        raise ModelError(f"{path} is a LoRA adapter; expected a whole language model; merge it into its base first")
    refuse_reward_model(folder)
    refuse_config(folder)
    return folder


def open_language_model(
    name: str, *, device: str = "auto", dtype: str = "fp32", trust_remote_code: bool = False
) -> LanguageModel:
    """Open a folder, an embedded model or a Hub name; ModelError in one line where it has no language-model head."""
    folder = refuse_no_language_model(name)
    path = str(folder.path)
    refuse_whole_numbers(folder.weights)
    refuse_unknown_family(folder.path, folder.config, trusted=trust_remote_code)
    place = choose_device(device)
    hf = load_weights(path, trust_remote_code=trust_remote_code)
    refuse_not_finite(path, hf)
    tokenizer = load_tokenizer(path, trust_remote_code=trust_remote_code)
    refuse_tokens_beyond(path, hf, tokenizer)
    precision = autocast_dtype(dtype, place, hf.config) or torch.float32
    return LanguageModel(hf.to(device=place, dtype=precision).eval(), tokenizer, hash_of_files(folder))


def refuse_reward_model(folder: ModelFolder) -> None:
    """ModelError for a model with a reward head, or another that is no causal language model."""
    classes = [str(name) for name in folder.config.get("architectures") or ()]
    if classes and not any(
        name.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for name in classes
    ):
        raise ModelError(
            f"{folder.path} is a {classes[0]}, which generates no text; expected a causal language model (…ForCausalLM)"
        )


def load_weights(path: str, *, trust_remote_code: bool) -> Any:
    """The model with all of its weights, in fp32 on the CPU; ModelError where some are missing or do not fit."""
    from transformers import AutoModelForCausalLM

    try:
        with quiet_transformers():
            hf, info = AutoModelForCausalLM.from_pretrained(
                path,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
            )
    except Exception as error:  # opening raises many kinds, all of them about the files
        raise ModelError(unreachable(path, error)) from error
    absent = sorted(map(str, info["missing_keys"]))
    if absent:
        raise ModelError(
            f"{path} lacks weights ({absent[0]} and {len(absent) - 1} more); check that the copy is complete"
        )
    return hf


def hash_of_files(folder: ModelFolder) -> str:
    """A hash of where a model's files lie, how long they are and when they were written: cheap, for files of any size.

    A copy of a model has another hash, and one whose files were changed has too.
    """
    files = sorted({weight.file for weight in folder.weights} | set(folder.path.glob("*.json")))
    return digest_of(
        [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files],
        [file.read_text(encoding="utf-8") for file in sorted(folder.path.glob("*.jinja"))],
    )
