"""Checkpoints to resume from: safetensors and JSON with a hash manifest; the newest one that is whole wins."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors.torch import load_file, save_file

from rewardsmith.errors import TrainingError
from rewardsmith.files import sha256, write_folder, write_json
from rewardsmith.model.network import RewardNetwork

MANIFEST = "manifest.json"
WEIGHTS, MOMENTS, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True)
class Restored:
    """A checkpoint that was read back: the loop's own state, and where it lay."""

    state: Mapping[str, Any]
    folder: Path


def trainable(network: RewardNetwork) -> dict[str, torch.Tensor]:
    """The parameters that learn, by name; frozen ones come from the model that training started from."""
    return {name: p for name, p in network.hf.named_parameters() if p.requires_grad}


def save_checkpoint(
    folder: Path, network: RewardNetwork, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]
) -> None:
    """Write weights, moments, random state and the loop's state; the folder appears whole or not at all."""

    def fill(path: Path) -> None:
        save_weights(network, path / WEIGHTS)
        save_file(moments(network, optimizer), path / MOMENTS)
        write_json(path / STATE, state)
        seal(path)

    write_folder(folder, fill)


def save_best(folder: Path, network: RewardNetwork, state: Mapping[str, Any]) -> None:
    """Write the weights of the best validation pass so far."""

    def fill(path: Path) -> None:
        save_weights(network, path / WEIGHTS)
        write_json(path / STATE, state)
        seal(path)

    write_folder(folder, fill)


def save_weights(network: RewardNetwork, path: Path) -> None:
    """The learning parameters as one safetensors file."""
    save_file({name: p.detach().contiguous().cpu() for name, p in trainable(network).items()}, path)


def load_weights(network: RewardNetwork, path: Path) -> None:
    """Put saved parameters back into the network; names and shapes must match exactly."""
    saved = load_file(path)
    own = trainable(network)
    if saved.keys() != own.keys():
        odd = sorted(saved.keys() ^ own.keys())[:3]
        raise TrainingError(f"{path} holds other parameters than the model ({', '.join(odd)}); settings changed?")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])


def moments(network: RewardNetwork, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """AdamW's state by parameter name, and the random state."""
    tensors = {
        f"{key}|{name}": value.detach().contiguous().cpu()
        for name, parameter in trainable(network).items()
        for key, value in optimizer.state[parameter].items()
    }
    tensors["rng|cpu"] = torch.get_rng_state()
    if network.device.type == "cuda":
        tensors["rng|cuda"] = torch.cuda.get_rng_state(network.device)
    return tensors


def restore(folder: Path, network: RewardNetwork, optimizer: torch.optim.Optimizer) -> Restored | None:
    """Load the newest whole checkpoint under `folder` into network and optimizer; None where there is none."""
    for path in sorted(folder.glob("step-*"), reverse=True):
        if not is_whole(path):
            continue
        load_weights(network, path / WEIGHTS)
        saved = load_file(path / MOMENTS)
        for name, parameter in trainable(network).items():
            optimizer.state[parameter] = {
                key.partition("|")[0]: value.to(parameter.device)
                for key, value in saved.items()
                if key.partition("|")[2] == name
            }
        torch.set_rng_state(saved["rng|cpu"])
        if "rng|cuda" in saved:
            torch.cuda.set_rng_state(saved["rng|cuda"], network.device)
        return Restored(orjson.loads((path / STATE).read_bytes()), path)
    return None


def seal(folder: Path) -> None:
    """Write the SHA-256 of every file, so that a damaged one is noticed: safetensors checks no contents."""
    write_json(
        folder / MANIFEST, {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    )


def is_whole(folder: Path) -> bool:
    """Whether every file of the manifest is there with its hash."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        return bool(manifest) and all(sha256(folder / name) == digest for name, digest in manifest.items())
    except (OSError, orjson.JSONDecodeError, AttributeError):
        return False


def prune(folder: Path, *, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints."""
    for path in sorted(folder.glob("step-*"), reverse=True)[keep:]:
        shutil.rmtree(path)
