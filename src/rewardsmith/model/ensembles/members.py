"""Members that are whole models: where they lie, that they are those that were joined, and that they score alike."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from rewardsmith.errors import ContractError, ModelError
from rewardsmith.files import sha256, write_text
from rewardsmith.files.manifest import MANIFEST
from rewardsmith.files.places import expanded
from rewardsmith.model.checkpoint.probes import PROBE_CONVERSATIONS, with_one_response
from rewardsmith.model.ensembles.description import ENSEMBLE, Description, MemberEntry
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.loading.folders import weight_files
from rewardsmith.model.loading.locating import locate
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.tokens import Encoder

ARCHITECTURE, MODEL_TYPE = "RewardsmithEnsemble", "rewardsmith_ensemble"
"""Names that plain transformers does not know, so that it refuses the folder."""
NOT_COMPARED = ("date", "inferred", "template_hash", "version")
"""Of a contract: what may differ as long as the probes have the same tokens."""


@runtime_checkable
class OpenModel(Protocol):
    """What is needed of an opened reward model."""

    network: RewardNetwork
    encoder: Encoder

    @property
    def contract(self) -> ScoringContract:
        """What is scored."""


M = TypeVar("M", bound=OpenModel)


def ensemble_folder(name: str) -> Path | None:
    """The folder of an ensemble, which has an `ensemble.json`; None for any other model."""
    if name == "tiny":
        return None
    folder = Path(locate(name))
    return folder if (folder / ENSEMBLE).is_file() else None


def place_of(entry: MemberEntry, folder: Path) -> str:
    """What opens a member: its folder, looked for from the ensemble's, or its name on the hub."""
    path = Path(entry.path)
    beside = path if path.is_absolute() else folder / path
    if beside.is_dir():
        return str(beside)
    if entry.path.startswith((".", "/")):
        raise ModelError(
            f"{folder / ENSEMBLE} names the member {entry.path}, and there is no such folder; move it back, or join the "
            "members again with: rewardsmith ensemble"
        )
    return entry.path


def open_members(folder: Path, description: Description, load: Callable[[str], M], *, check: bool) -> list[M]:
    """All members, opened; ModelError where one is not the model that was joined (unless `check` is off)."""
    models = []
    for entry in description.members:
        place = place_of(entry, folder)
        if check and entry.identity and entry.identity != identity_of(place):
            raise ModelError(
                f"the member {place} is another model than when the ensemble was written; join the members again with: "
                "rewardsmith ensemble, or pass --allow-mismatch"
            )
        models.append(load(place))
    return models


def identity_of(name: str) -> str:
    """SHA-256 of what makes a model: its manifest, or where it has none its config and weights."""
    folder = Path(locate(name))
    if (folder / MANIFEST).is_file():
        return sha256(folder / MANIFEST)
    digest = hashlib.sha256()
    for path in (folder / "config.json", *weight_files(folder)):
        digest.update(f"{path.name}:{sha256(path)};".encode())
    return digest.hexdigest()


def refuse_unlike(models: Sequence[OpenModel], names: Sequence[str]) -> None:
    """ContractError where two members would not score the same tokens: their rewards are then not of one text."""
    first = comparable(models[0].contract)
    for model, name in zip(models[1:], names[1:], strict=True):
        other = comparable(model.contract)
        differing = [key for key in first if first[key] != other[key]]
        if not differing and probe_tokens(model) != probe_tokens(models[0]):
            differing = ["tokens of the probes"]
        if differing:
            raise ContractError(
                f"{names[0]} and {name} have different scoring contracts ({', '.join(differing)}); the members of an "
                "ensemble score the same tokens: train them from one model with the same --max-length and --reasoning"
            )


def comparable(contract: ScoringContract) -> dict[str, Any]:
    """What of a contract decides tokens."""
    return {name: value for name, value in contract.to_json().items() if name not in NOT_COMPARED}


def probe_tokens(model: OpenModel) -> list[bytes]:
    """The tokens of every probe conversation that the contract can render."""
    found = []
    for conversation in PROBE_CONVERSATIONS:
        try:
            found.append(model.encoder.encode(with_one_response(conversation)).sequences[0].tobytes())
        except ContractError:
            found.append(b"")
    return found


@dataclass(frozen=True)
class ModelMembers:
    """Members that stay where they are, named in `ensemble.json`; `places` are their folders, or names on the hub."""

    description: Description
    places: tuple[str, ...]

    def write(self, folder: Path, final: Path) -> None:
        """Write `ensemble.json`, and a config that says to other readers that this is none of their models.

        `folder` will be called `final`, from where the members are looked for.
        """
        where = (relative(place, final) for place in self.places)
        entries = zip(self.description.members, where, strict=True)
        replace(self.description, members=tuple(replace(entry, path=path) for entry, path in entries)).save(folder)
        write_config(folder)

    def described(self, description: Description) -> "ModelMembers":
        """The same members under another description."""
        return replace(self, description=description)


def relative(place: str, folder: Path) -> str:
    """A folder as seen from the ensemble's, so that both can be moved together; a name on the hub as it is."""
    path = expanded(place)
    if not path.is_dir():
        return place
    way = os.path.relpath(path.resolve(), folder.resolve())
    return way if way.startswith(".") else f"./{way}"


def write_config(folder: Path) -> None:
    """The `config.json` of an ensemble."""
    content = {"architectures": [ARCHITECTURE], "model_type": MODEL_TYPE}
    write_text(folder / "config.json", json.dumps(content, indent=2) + "\n")
