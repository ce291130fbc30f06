"""Checkpoints to resume from: safetensors and JSON with a hash manifest; the newest one that is whole wins.

They hold whole tensors, however many processes trained and however they shared them, so that any number can go on.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors.torch import load_file, save_file

from rewardsmith.errors import TrainingError
from rewardsmith.files import sha256, write_folder, write_json
from rewardsmith.files.kinds import CHECKPOINT
from rewardsmith.model.network import RewardNetwork
from rewardsmith.model.team import ALONE, Team
from rewardsmith.train.shards import moments_of, put, put_moments, whole

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
    folder: Path,
    network: RewardNetwork,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Any],
    *,
    team: Team = ALONE,
) -> None:
    """Write weights, moments, random state and the loop's state; the folder appears whole or not at all."""
    tensors = {WEIGHTS: weights(network, team), MOMENTS: moments(network, optimizer, team)}
    save_folder(folder, tensors, state, team)


def save_best(folder: Path, network: RewardNetwork, state: Mapping[str, Any], *, team: Team = ALONE) -> None:
    """Write the weights of the best validation pass so far."""
    save_folder(folder, {WEIGHTS: weights(network, team)}, state, team)


def save_folder(
    folder: Path, tensors: Mapping[str, Mapping[str, torch.Tensor]], state: Mapping[str, Any], team: Team
) -> None:
    """Let the first process write, and the others wait: one that ended meanwhile would end all."""

    def fill(path: Path) -> None:
        for name, content in tensors.items():
            save_file(dict(content), path / name)
        write_json(path / STATE, state)
        seal(path)

    if team.leads:
        write_folder(folder, fill, CHECKPOINT, overwrite=True)
    team.wait()


def weights(network: RewardNetwork, team: Team) -> dict[str, torch.Tensor]:
    """The learning parameters by name, whole, in the first process; the others only help to gather them."""
    return gathered(trainable(network).items(), team)


def gathered(tensors: Iterable[tuple[str, torch.Tensor]], team: Team) -> dict[str, torch.Tensor]:
    """Whole copies in the memory of the first process, one after the other; nothing in the others."""
    kept = {}
    for name, tensor in tensors:
        copy = whole(tensor).detach()
        if team.leads:
            kept[name] = copy.contiguous().cpu()
    return kept


def newest_weights(folder: Path) -> Path:
    """The weights that training ended with: the best ones, or without validation those of the newest checkpoint."""
    best = folder / "best" / WEIGHTS
    return best if best.is_file() else sorted(folder.glob(f"step-*/{WEIGHTS}"))[-1]


def load_weights(network: RewardNetwork, path: Path) -> None:
    """Put saved parameters back into the network; names and shapes must match exactly."""
    saved = load_file(path)
    own = trainable(network)
    if saved.keys() != own.keys():
        odd = sorted(saved.keys() ^ own.keys())[:3]
        raise TrainingError(f"{path} holds other parameters than the model ({', '.join(odd)}); settings changed?")
    for name, parameter in own.items():
        put(parameter, saved[name])


def moments(network: RewardNetwork, optimizer: torch.optim.Optimizer, team: Team) -> dict[str, torch.Tensor]:
    """AdamW's state by parameter name, and the random state."""
    state = (
        (f"{key}|{name}", value)
        for name, parameter in trainable(network).items()
        for key, value in moments_of(optimizer, parameter)
    )
    tensors = gathered(state, team)
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
        found: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in saved.items():
            found.setdefault(key.partition("|")[2], {})[key.partition("|")[0]] = value
        put_moments(optimizer, {p: found.get(name, {}) for name, p in trainable(network).items()})
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
    found = (path for path in folder.glob("step-*") if CHECKPOINT.recognises(path))
    for path in sorted(found, reverse=True)[keep:]:
        shutil.rmtree(path)
