"""What lies in a model folder, told from names and file headers before anything heavy is opened.

A folder that cannot be used is refused here with one line that says what is wrong and what to do; weights in a pickle
are never opened.
"""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError
from rewardsmith.files.places import expanded

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
VALUE_HEAD = "value_head.safetensors"  # LLaMA-Factory keeps the head apart
CLOUD = "cloud.json"  # of a model that writes a critique before each reward (see `critique.folder`)
PICKLES = ("*.bin", "*.pt", "*.pth")
TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model", "merges.txt", "spiece*", "sentencepiece*", "special_tokens_map*")
LFS_POINTER = b"version https://git-lfs"
LENGTH_BYTES = 8  # a safetensors file begins with the length of its header
LONGEST_HEADER = 32_000_000
LONGEST_JSON = 32_000_000  # bytes; the index of a model with 100,000 tensors has 10 million
LARGEST_TOKENIZER = 100_000_000  # bytes of one file; 262,144 tokens take 33 million
LARGEST_SIZE = 2**63
MOST_DIMENSIONS = 16
SHARDS_OF_FSDP = re.compile(r"shard-\d+-model-\d+-of-\d+\.safetensors")  # transformers would read these instead
ITEM_BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2,
    "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Bytes of a number by safetensors' name of its type; types of fewer than eight bits are left out."""


@dataclass(frozen=True)
class Weight:
    """One tensor of a safetensors file: where it lies, its shape, and safetensors' name of its type."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str = "F32"


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds a whole model, or (`adapter`) a LoRA adapter whose base lies elsewhere."""

    path: Path
    config: dict[str, Any]
    weights: tuple[Weight, ...]
    adapter: dict[str, Any] | None = None


def is_cloud(name: str) -> bool:
    """Whether a model is one that writes critiques: a folder (or a run's) with a `cloud.json`. Nothing is fetched."""
    folder = expanded(name)
    return any((place / CLOUD).is_file() for place in (folder, folder / "model"))


def inspect_folder(path: Path) -> ModelFolder:
    """Read names and headers of a model folder; ModelError in one line where something is missing or broken.

    An empty tensor, or one that two files hold, is broken too.
    """
    adapter = path / ADAPTER_CONFIG
    files = weight_files(path)
    if adapter.is_file() and not files:
        return inspect_adapter(path)
    refuse_other_formats(path, has_weights=bool(files))
    config = read_object(path / "config.json")
    if not files:
        raise ModelError(f"{path} has a config.json but no weights ({WEIGHTS}); the copy or download is incomplete")
    if adapter.is_file():
        raise ModelError(
            f"{path} contains a complete model and a LoRA adapter, which transformers would apply again; if the model "
            f"is merged, move {ADAPTER_CONFIG} and {ADAPTER_WEIGHTS} away, otherwise move the weights of the model away"
        )
    refuse_second_weights(path)
    weights = read_weights(files)
    refuse_repeated(path, weights)
    return ModelFolder(path, config, (*weights, *read_weights(head_file(path))))


def refuse_second_weights(path: Path) -> None:
    """ModelError where a folder holds weights twice, of which transformers would read one set and we another."""
    sets = [name for name in (WEIGHTS, INDEX) if (path / name).is_file()]
    sets += sorted(file.name for file in path.glob("shard-*") if SHARDS_OF_FSDP.fullmatch(file.name))[:1]
    if len(sets) > 1:
        raise ModelError(f"{path} contains its weights twice ({' and '.join(sets)}); move the unused ones away")


def refuse_repeated(path: Path, weights: tuple[Weight, ...]) -> None:
    """ModelError where two files hold a tensor of one name."""
    name, count = next(iter(Counter(weight.name for weight in weights).most_common(1)), ("", 0))
    if count > 1:
        raise ModelError(f"{path}: {count} of its weight files contain {name}; copy or download the folder again")


def inspect_adapter(path: Path) -> ModelFolder:
    """A folder with a LoRA adapter and nothing else."""
    if not (path / ADAPTER_WEIGHTS).is_file():
        raise ModelError(f"{path} has an {ADAPTER_CONFIG} but no {ADAPTER_WEIGHTS}{pickled(path)}")
    adapter = read_object(path / ADAPTER_CONFIG)
    return ModelFolder(path, {}, read_weights([path / ADAPTER_WEIGHTS, *head_file(path)]), adapter)


def refuse_other_formats(path: Path, *, has_weights: bool) -> None:
    """One line for each of the things that people point at and that are no model folder."""
    if (path / CLOUD).is_file():
        raise ModelError(
            f"{path} is a reward model that writes critiques (CLoud), which cannot be used here; score, evaluate, "
            f"audit, calibrate and rs.CritiqueModel.load open it; its language model is {path / 'language_model'}"
        )
    if (path / "config.json").is_file() and (has_weights or not pickled(path)):
        return
    if any(path.glob("*.gguf")):
        raise ModelError(
            f"{path} contains a GGUF file (quantised, for llama.cpp); open it with the gguf_file= option of "
            "transformers, save it with save_pretrained, and pass that folder"
        )
    if pickled(path):
        raise ModelError(f"{path} has no {WEIGHTS}{pickled(path)}")
    ensemble = path.absolute().parent.parent
    if (path / "adapter").is_dir() and (ensemble / "members.json").is_file():
        raise ModelError(f"{path} is a member of an ensemble of LoRA adapters and no model of its own; pass {ensemble}")
    if (path / "checkpoints").is_dir():
        raise ModelError(
            f"{path} is a run whose training has not finished; continue it with: rewardsmith train --resume …"
        )
    raise ModelError(
        f"{path} has no config.json; expected a Hugging Face model folder (config.json, {WEIGHTS}, tokenizer.json)"
    )


def pickled(path: Path) -> str:
    """The end of a message about pickled weights; nothing where there are none."""
    found = sorted(
        file.name for pattern in PICKLES for file in path.glob(pattern) if not file.name.startswith("training_args")
    )
    if not found:
        return ""
    return (
        f"; only {found[0]}, a pickle file, which can execute code when it is opened and is never opened here; convert "
        "it to safetensors (see docs/models.md)"
    )


def weight_files(path: Path) -> list[Path]:
    """The files that hold the model's weights; ModelError where the index names one that is not there."""
    if (path / INDEX).is_file():
        names = shard_names(path)
        absent = [name for name in names if not (path / name).is_file()]
        if absent:
            raise ModelError(
                f"{path} lacks {absent[0]} ({len(absent)} of {len(names)} weight files are missing); the copy or "
                "download is incomplete"
            )
        return [path / name for name in names]
    return [path / WEIGHTS] if (path / WEIGHTS).is_file() else []


def shard_names(path: Path) -> list[str]:
    """The weight files that the index names; ModelError where it names none, or one outside the folder."""
    shards = read_object(path / INDEX).get("weight_map")
    names = list(shards.values()) if isinstance(shards, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(f"{path / INDEX} is damaged: it refers to files outside its folder; copy or download it again")
    return sorted(set(names))


def head_file(path: Path) -> list[Path]:
    """LLaMA-Factory's value head beside the model, if there is one."""
    if (path / VALUE_HEAD).is_file():
        return [path / VALUE_HEAD]
    if (path / "value_head.bin").is_file():
        raise ModelError(f"{path} has no {VALUE_HEAD}{pickled(path)}")
    return []


def read_weights(files: list[Path]) -> tuple[Weight, ...]:
    """Name and shape of every tensor, from the headers of safetensors files; a file that is cut off is refused."""
    return tuple(weight for file in files for weight in read_header(file))


def read_header(file: Path) -> list[Weight]:
    """The tensors that one safetensors file says it holds; ModelError where it does not hold them."""
    size = file.stat().st_size
    with file.open("rb") as handle:
        start = handle.read(LENGTH_BYTES)
        rest = handle.read(len(LFS_POINTER) - LENGTH_BYTES)
        if start + rest == LFS_POINTER:
            raise ModelError(f"{file} is a Git LFS pointer, not the weights; run: git lfs pull")
        length = int.from_bytes(start, "little")
        if size < LENGTH_BYTES or length > min(LONGEST_HEADER, size - LENGTH_BYTES):
            raise ModelError(f"{file} is not a complete safetensors file ({size} bytes); copy or download it again")
        handle.seek(LENGTH_BYTES)
        try:
            header = json.loads(handle.read(length))
            header.pop("__metadata__", None)
            found = [weight_of(file, name, entry) for name, entry in header.items()]
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{file} is damaged: its header cannot be read; copy or download it again") from error
    expected = LENGTH_BYTES + length + end
    if size < expected:
        raise ModelError(f"{file} is truncated: {size} of {expected} bytes; copy or download it again")
    refuse_empty(file, found)
    return found


def weight_of(file: Path, name: str, entry: dict[str, Any]) -> Weight:
    """One entry of a header; ValueError where its shape is no shape or does not fit its bytes."""
    shape, (begin, end) = entry["shape"], entry["data_offsets"]
    if len(shape) > MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < LARGEST_SIZE for n in [*shape, begin, end]):
        raise ValueError(name)
    item = ITEM_BYTES.get(entry["dtype"])
    if item is not None and math.prod(shape) * item != end - begin:
        raise ValueError(name)
    return Weight(file, name, tuple(shape), str(entry["dtype"]))


def refuse_empty(file: Path, weights: list[Weight]) -> None:
    """ModelError where a tensor has no numbers: a new one would stand in its place, and nobody would know."""
    empty = [weight for weight in weights if 0 in weight.shape]
    if empty:
        raise ModelError(
            f"{file} contains {len(empty)} empty tensors ({empty[0].name} has the shape {list(empty[0].shape)}), as "
            "DeepSpeed ZeRO-3 writes them when weights are not gathered; gather the weights "
            "(stage3_gather_16bit_weights_on_model_save, or zero_to_fp32.py) and save the model again"
        )


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object; ModelError for any other, and for one too large or too deep to be a config."""
    try:
        size = path.stat().st_size
        value = json.loads(path.read_text("utf-8")) if size <= LONGEST_JSON else None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}); copy or download it again") from error
    if size > LONGEST_JSON:
        raise ModelError(f"{path} has {size} bytes, expected at most {LONGEST_JSON}; copy or download it again")
    if not isinstance(value, dict):
        raise ModelError(f"{path} contains {type(value).__name__}; expected a JSON object")
    return value


def has_tokenizer(path: Path) -> bool:
    """Whether a folder holds anything that a tokenizer could be made of."""
    return bool(tokenizer_files(path))


def tokenizer_files(path: Path) -> list[Path]:
    """The files that a tokenizer could be made of."""
    return [file for pattern in TOKENIZER_FILES for file in path.glob(pattern)]
