"""What lies in a model folder, told from names and file headers before anything heavy is opened.

A folder that cannot be used is refused here with one line that says what is wrong and what to do; weights in a pickle
are never opened.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
VALUE_HEAD = "value_head.safetensors"  # LLaMA-Factory keeps the head apart
PICKLES = ("*.bin", "*.pt", "*.pth")
TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model", "merges.txt", "spiece*", "sentencepiece*", "special_tokens_map*")
LFS_POINTER = b"version https://git-lfs"
LENGTH_BYTES = 8  # a safetensors file begins with the length of its header
LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Weight:
    """One tensor of a safetensors file: where it lies and its shape."""

    file: Path
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds a whole model, or (`adapter`) a LoRA adapter whose base lies elsewhere."""

    path: Path
    config: dict[str, Any]
    weights: tuple[Weight, ...]
    adapter: dict[str, Any] | None = None


def inspect_folder(path: Path) -> ModelFolder:
    """Read names and headers of a model folder; ModelError in one line where something is missing or broken."""
    adapter = path / ADAPTER_CONFIG
    files = weight_files(path)
    if adapter.is_file() and not files:
        return inspect_adapter(path)
    refuse_other_formats(path, has_weights=bool(files))
    config = read_object(path / "config.json")
    if not files:
        raise ModelError(f"{path} has a config.json but no weights ({WEIGHTS}); the copy or download is not complete")
    if adapter.is_file():
        raise ModelError(
            f"{path} holds a whole model and a LoRA adapter, which transformers would apply to it once more; move "
            f"{ADAPTER_CONFIG} and {ADAPTER_WEIGHTS} away if the model is merged, else the model's weights"
        )
    return ModelFolder(path, config, read_weights([*files, *head_file(path)]))


def inspect_adapter(path: Path) -> ModelFolder:
    """A folder with a LoRA adapter and nothing else."""
    if not (path / ADAPTER_WEIGHTS).is_file():
        raise ModelError(f"{path} has an {ADAPTER_CONFIG} but no {ADAPTER_WEIGHTS}{pickled(path)}")
    adapter = read_object(path / ADAPTER_CONFIG)
    return ModelFolder(path, {}, read_weights([path / ADAPTER_WEIGHTS, *head_file(path)]), adapter)


def refuse_other_formats(path: Path, *, has_weights: bool) -> None:
    """One line for each of the things that people point at and that are no model folder."""
    if (path / "config.json").is_file() and (has_weights or not pickled(path)):
        return
    if any(path.glob("*.gguf")):
        raise ModelError(
            f"{path} holds a GGUF file (quantised, for llama.cpp); open it once with transformers' gguf_file= and "
            "save it with save_pretrained, then name that folder"
        )
    if pickled(path):
        raise ModelError(f"{path} has no {WEIGHTS}{pickled(path)}")
    if (path / "checkpoints").is_dir():
        raise ModelError(f"{path} is a run whose training has not finished; go on with: rewardsmith train --resume …")
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
        f"; only {found[0]}, a pickle, which can run code when it is opened and is never opened here; convert it to "
        "safetensors once (docs/models.md says how)"
    )


def weight_files(path: Path) -> list[Path]:
    """The files that hold the model's weights; ModelError where the index names one that is not there."""
    if (path / INDEX).is_file():
        names = sorted(set(read_object(path / INDEX).get("weight_map", {}).values()))
        absent = [name for name in names if not (path / name).is_file()]
        if absent:
            raise ModelError(
                f"{path} lacks {absent[0]} ({len(absent)} of {len(names)} weight files are not there); the copy or "
                "download is not complete"
            )
        return [path / name for name in names]
    return [path / WEIGHTS] if (path / WEIGHTS).is_file() else []


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
            raise ModelError(f"{file} is a pointer of Git LFS, not the weights; run: git lfs pull")
        length = int.from_bytes(start, "little")
        if size < LENGTH_BYTES or length > min(LONGEST_HEADER, size - LENGTH_BYTES):
            raise ModelError(f"{file} is no whole safetensors file ({size} bytes); copy or download it again")
        handle.seek(LENGTH_BYTES)
        try:
            header = json.loads(handle.read(length))
            header.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            found = [Weight(file, name, tuple(entry["shape"])) for name, entry in header.items()]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{file} is damaged: its header cannot be read; copy or download it again") from error
    expected = LENGTH_BYTES + length + end
    if size < expected:
        raise ModelError(f"{file} is cut off: {size} of {expected} bytes; copy or download it again")
    return found


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}); copy or download it again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds {type(value).__name__}, expected an object")
    return value


def has_tokenizer(path: Path) -> bool:
    """Whether a folder holds anything that a tokenizer could be made of."""
    return any(any(path.glob(pattern)) for pattern in TOKENIZER_FILES)
