"""Which run a model comes from that does not lie in one: by its own word, by its weights, or by its architecture."""

import filecmp
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import DataError
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.run_data import identity_of, run_of

How = Literal["inside", "named", "weights", "alike", "unknown"]
"""The model lies in the run, its `reward.json` names the run, its weights are those in the run's folder, or only its
architecture is that of the run's model."""

LOOKED_AT = 300
"""Entries of a folder among which runs are looked for: a folder with more is no place where runs are kept."""

NOT_ARCHITECTURE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures", "pad_token_id")
"""Keys of config.json that other programs write differently for the same weights."""


@dataclass(frozen=True)
class RunBehind:
    """The run that a model comes from, None where none is found, and by what it was told."""

    run: Path | None
    how: How


def run_behind(evaluation: Path, model: Path) -> RunBehind:
    """The run of the model at `model` that is judged in the folder `evaluation`.

    Runs are looked for beside both, in the current folder, and in a folder `runs` in any of these.
    """
    inside = run_of(evaluation) or run_of(model)
    if inside is not None:
        return RunBehind(inside, "inside")
    if not (model / "config.json").is_file():
        return RunBehind(None, "unknown")
    candidates = list(runs_near(evaluation, model))
    for how, same in (("named", names_run), ("weights", same_weights), ("alike", same_architecture)):
        found = [run for run in candidates if same(model, run)]
        if len(found) == 1 or (found and how != "alike"):
            return RunBehind(found[0], how)  # type: ignore[arg-type]
    return RunBehind(None, "unknown")


def runs_near(*places: Path) -> Iterator[Path]:
    """Run folders beside the places and in the current folder, each once."""
    seen: set[Path] = set()
    for base in [Path(), *(place.resolve().parent for place in places)]:
        for folder in (base, base / "runs"):
            entries = sorted(folder.iterdir()) if folder.is_dir() else []
            for entry in entries[:LOOKED_AT]:
                whole = entry.resolve()
                if (
                    whole not in seen
                    and (entry / "data" / "data.json").is_file()
                    and (entry / "settings.json").is_file()
                ):
                    seen.add(whole)
                    yield entry


def told_by(model: Path) -> Mapping[str, Any]:
    """What the model's `reward.json` says of its training; empty without one, or where it is damaged."""
    try:
        training = read_object(model / "reward.json").get("training")
    except DataError:
        return {}
    return training if isinstance(training, Mapping) else {}


def names_run(model: Path, run: Path) -> bool:
    """Whether the model says that it comes from this run."""
    return told_by(model).get("run") == identity_of(run)


def same_weights(model: Path, run: Path) -> bool:
    """Whether the files with weights are those of the run's model, byte for byte."""
    files = sorted(model.glob("*.safetensors"))
    pairs = [(path, run / "model" / path.name) for path in files]
    if not files or not all(twin.is_file() and twin.stat().st_size == path.stat().st_size for path, twin in pairs):
        return False
    return all(filecmp.cmp(path, twin, shallow=False) for path, twin in pairs)


def same_architecture(model: Path, run: Path) -> bool:
    """Whether a model without a word about its origin has the configuration of the run's model."""
    if (model / "reward.json").is_file() or not (run / "model" / "config.json").is_file():
        return False
    return architecture_of(model) == architecture_of(run / "model")


def architecture_of(model: Path) -> Mapping[str, Any]:
    """config.json without what says nothing about the weights."""
    try:
        config = json.loads((model / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {"unreadable": str(model)}
    return {name: value for name, value in config.items() if name not in NOT_ARCHITECTURE}
