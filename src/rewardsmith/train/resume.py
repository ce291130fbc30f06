"""Checkpoints to resume from: safetensors and JSON with a manifest; the newest one that is whole wins.

They hold whole tensors, however many processes trained and however they shared them, so that any number can go on. Nothing
is read from a folder whose files are not those of its manifest, and one that is passed over is named.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors.torch import load_file, save_file

from rewardsmith.errors import TrainingError
from rewardsmith.files import write_folder, write_json
from rewardsmith.files.kinds import CHECKPOINT
from rewardsmith.files.manifest import Fault, faults_of, listed, seal
from rewardsmith.files.reading import as_object, refuse_types, taking_from
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.train.engines.shards import moments_of, put, put_moments, whole

WEIGHTS, MOMENTS, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"
BEST = "best"
START_ANEW = "start again with --overwrite instead of --resume"


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


def folder_of_step(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return checkpoints / f"step-{step:08d}"


def final_weights(checkpoints: Path, *, best_step: int | None, last_step: int) -> Path:
    """The file with the weights that training ends with: the best ones, or without validation those of the last step.

    TrainingError where they are damaged.
    """
    if best_step is not None:
        return best_weights(checkpoints, best_step)
    folder = folder_of_step(checkpoints, last_step)
    if faults := checkpoint_faults(folder):
        raise TrainingError(f"{folder} is damaged: {listed(faults)}; {START_ANEW}")
    return folder / WEIGHTS


def best_weights(checkpoints: Path, step: int) -> Path:
    """The file with the weights of a validation pass: in `best/`, else in the checkpoint of that step, which has them too.

    TrainingError where neither is whole: any other weights would be another model.
    """
    best = checkpoints / BEST
    faults = best_faults(best, step)
    twin = folder_of_step(checkpoints, step)
    if not faults:
        return best / WEIGHTS
    if is_whole(twin):
        return twin / WEIGHTS
    raise TrainingError(f"{best}, the weights of step {step}, is damaged: {listed(faults)}; {START_ANEW}")


def mend_best(checkpoints: Path, *, best_step: int, reached: int, note: Callable[[str], None]) -> None:
    """Make sure that `best/` holds the weights of `best_step` before training goes on from the step `reached`.

    A `best/` that is younger than the checkpoint (the run was killed between the two) may stay where the older one is
    gone: its step comes again, and with the same bits. TrainingError where `best/` is damaged and no checkpoint has
    its weights.
    """
    best = checkpoints / BEST
    faults = best_faults(best, best_step)
    if not faults:
        return
    younger = is_whole(best) and step_of(best) > reached
    if younger and not is_whole(folder_of_step(checkpoints, best_step)):
        return
    weights = best_weights(checkpoints, best_step)

    def fill(path: Path) -> None:
        shutil.copyfile(weights, path / WEIGHTS)
        write_json(path / STATE, {"step": best_step})
        seal(path)

    write_folder(best, fill, CHECKPOINT, overwrite=True)
    if not younger:
        note(f"{best} is damaged: {listed(faults)}; it was restored from {weights.parent.name}, with the same weights")


def best_faults(best: Path, step: int) -> list[Fault]:
    """What keeps `best/` from being the weights of that step."""
    faults = checkpoint_faults(best)
    if faults or (found := step_of(best)) == step:
        return faults
    return [Fault(STATE, f"step {found}, expected {step}")]


def step_of(best: Path) -> int:
    """The step of the weights in a whole `best/`."""
    return int(orjson.loads((best / STATE).read_bytes())["step"])


def load_best(network: RewardNetwork, checkpoints: Path, step: int | None) -> None:
    """Put the weights of the best validation pass into the network; those of the last step stay where there was none."""
    if step is not None:
        load_weights(network, best_weights(checkpoints, step))


def load_weights(network: RewardNetwork, path: Path) -> None:
    """Put saved parameters back into the network; names and shapes must match exactly."""
    saved = load_file(path)
    own = trainable(network)
    if saved.keys() != own.keys():
        odd = sorted(saved.keys() ^ own.keys())[:3]
        raise TrainingError(
            f"{path} has other parameters than the model ({', '.join(odd)}); check whether the settings changed"
        )
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


def restore(
    folder: Path,
    network: RewardNetwork,
    optimizer: torch.optim.Optimizer,
    note: Callable[[str], None] = lambda text: None,
    *,
    step: int | None = None,
) -> Restored | None:
    """Load the newest whole checkpoint under `folder`, or that of a `step`, into network and optimizer; None where there is
    none at all.

    Damaged ones are passed over with a note; TrainingError where all are damaged, or that of the step is missing.
    """
    damaged = []
    found_there = sorted(folder.glob("step-*"), reverse=True) if step is None else [folder_of_step(folder, step)]
    for path in found_there:
        if faults := checkpoint_faults(path):
            damaged.append(f"{path.name} is damaged: {listed(faults)}")
            note(f"{path} is damaged: {listed(faults)}; it was skipped")
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
    if damaged:
        raise TrainingError(f"no checkpoint in {folder} is intact: {'; '.join(damaged)}; {START_ANEW}")
    return None


def refuse_lost(checkpoints: Path, metrics: Path, *, first: int) -> None:
    """TrainingError where a run has gone beyond the step `first`, after which it writes a checkpoint, and none is there."""
    lines = metrics.read_bytes().splitlines() if metrics.is_file() else []
    if any(step_in(line) > first for line in lines):
        raise TrainingError(
            f"the checkpoints of {checkpoints} are missing: {metrics} goes beyond step {first}, after which the first "
            f"one was written; {START_ANEW}"
        )


def step_in(line: bytes) -> int:
    """The step of a line of metrics; 0 where the line was cut off."""
    try:
        return int(orjson.loads(line)["step"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return 0


def checkpoint_faults(folder: Path) -> list[Fault]:
    """What is wrong with the files of a checkpoint, to resume from or `best/`."""
    return faults_of(folder, needed=(WEIGHTS, STATE) if folder.name == BEST else (WEIGHTS, MOMENTS, STATE))


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint holds what was written."""
    return not checkpoint_faults(folder)


def prune(folder: Path, *, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints."""
    found = (path for path in folder.glob("step-*") if not any(CHECKPOINT.foreign(path)))
    for path in sorted(found, reverse=True)[keep:]:
        shutil.rmtree(path)


def lines_up_to(path: Path, step: int) -> Iterator[bytes]:
    """The metrics not later than `step`; a last line without an end is what a kill leaves, DataError for other damage."""
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        if line.strip():
            with taking_from(f"{path}:{number}"):
                found = as_object(line, f"{path}:{number}")
                refuse_types({"step": found["step"]}, {"step": int})
            if found["step"] <= step:
                yield line + b"\n"


def since_the_start(state: Mapping[str, Any], metrics: Path) -> dict[str, Any]:
    """A state as this version keeps it: until 0.3.0 it held the losses of the epoch only, the curve holds all of them."""
    if "loss_sum" in state:
        return dict(state)
    rows = (orjson.loads(line) for line in lines_up_to(metrics, state["step"]))
    losses = [row["loss"] for row in rows if "loss" in row]
    kept = {name: value for name, value in state.items() if name not in ("epoch_loss", "epoch_steps")}
    return {**kept, "loss_sum": sum(losses) / max(1, len(losses)) * state["step"]}
