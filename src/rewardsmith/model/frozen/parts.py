"""The parts of a cache of computed tensors: each a safetensors file with a hash of its contents, whole or not there.

safetensors itself notices no changed byte, and a cache is read for weeks.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rewardsmith.files import write_through
from rewardsmith.files.leftovers import delete, remove_files, stale

KEY_BYTES = 16
PART = re.compile(r"part-.+\.safetensors")
STORE = re.compile(rf"(states-)?[0-9a-f]{{{2 * KEY_BYTES}}}")
"""What a cache is called: a hash of what its contents depend on."""


def bytes_of(tensor: Tensor) -> memoryview:
    """A tensor's numbers, as they lie in memory."""
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy().data


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names and contents."""
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype}:".encode())
        digest.update(bytes_of(tensor))
    return digest.hexdigest()


def save_part(folder: Path, name: bytes, tensors: Mapping[str, Tensor]) -> Path:
    """Write a part, on disk before this returns; it is called by a hash of `name`, so parts never take each other's."""
    path = folder / f"part-{hashlib.blake2b(name, digest_size=KEY_BYTES).hexdigest()}.safetensors"

    def save(temporary: Path) -> None:
        save_file(dict(tensors), temporary, metadata={"blake2b": digest_of(tensors)})
        temporary.chmod(
            folder.stat().st_mode & 0o666
        )  # safetensors lets only the owner read; the folder shows the umask

    write_through(path, save)
    return path


def read_part(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a part; None where it is damaged, or was written without a hash."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            whole = digest_of(tensors) == (file.metadata() or {}).get("blake2b")
    except (SafetensorError, OSError):
        return None
    return tensors if whole else None


def parts_of(folder: Path) -> list[Path]:
    """The parts of a cache, what dead processes left cleared away."""
    for path, _ in stale(folder):
        delete(path)
    return sorted(path for path in folder.glob("part-*") if PART.fullmatch(path.name)) if folder.is_dir() else []


def delete_store(folder: Path) -> None:
    """Delete a cache: its parts, and the folder where nothing else lies in it."""
    remove_files(folder, PART)
