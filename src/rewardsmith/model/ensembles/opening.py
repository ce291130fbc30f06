"""An ensemble's folder → the network of its members, whatever they are: whole models, LoRA sets, heads of one model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from rewardsmith.errors import ContractError
from rewardsmith.model.checkpoint.intact import check_model
from rewardsmith.model.checkpoint.sidecar import SIDECAR, Sidecar
from rewardsmith.model.ensemble import HeadEnsemble
from rewardsmith.model.ensembles.combination import Combiner, MemberScale
from rewardsmith.model.ensembles.description import ENSEMBLE, Description
from rewardsmith.model.ensembles.lora_sets import LoraMembers, open_sets
from rewardsmith.model.ensembles.members import ModelMembers, OpenModel, open_members, place_of, refuse_unlike
from rewardsmith.model.ensembles.network import EnsembleNetwork, HeadsNetwork, NetworkEnsemble
from rewardsmith.model.heads.head import ColumnSource
from rewardsmith.model.loading.backbones import Backbone
from rewardsmith.scoring.contract import ScoringContract

SavedMembers = ModelMembers | LoraMembers


@runtime_checkable
class OpenMember(OpenModel, Protocol):
    """What is needed of a member, which may have several heads."""

    tokenizer: Any
    head: ColumnSource | None
    why_separate: str | None


M = TypeVar("M", bound=OpenMember)


@dataclass(frozen=True)
class OpenedEnsemble:
    """The network of all members, the tokenizer that they share, what is saved of them, and the stored sidecar."""

    network: EnsembleNetwork
    tokenizer: Any
    members: SavedMembers
    sidecar: Sidecar
    why_separate: str | None


def open_ensemble(
    folder: Path,
    *,
    load: Callable[[str], M],
    build: Callable[[Backbone, ScoringContract], M],
    check: bool = True,
) -> OpenedEnsemble:
    """Open the ensemble in `folder`; `load` opens a model, `build` makes one of a backbone under a contract.

    With `check` its files and members have to be those that were saved.
    """
    if check:
        check_model(folder)
    description, sidecar = Description.load(folder), Sidecar.load(folder)
    if description is None or sidecar is None:
        raise ContractError(f"{folder} has an {ENSEMBLE} but no {SIDECAR}; copy the ensemble again")
    if description.kind == "lora":
        backbone, sets, adapters = open_sets(folder, description, lambda one: build(one, sidecar.contract))
        lora = LoraMembers(description, backbone.hf, backbone.tokenizer, sidecar.contract, adapters)
        return joined(sets, lora, sidecar)
    places = tuple(place_of(entry, folder) for entry in description.members)
    members = ModelMembers(description, places)
    if description.kind == "heads":
        (model, *_) = open_members(folder, first_of(description), load, check=check)
        return with_heads(model, members, sidecar)
    models = open_members(folder, description, load, check=check)
    refuse_unlike(models, places)
    return joined(models, members, sidecar)


def first_of(description: Description) -> Description:
    """The description with its first member alone: heads of one model lie in one place."""
    return Description(description.kind, description.members[:1], description.combination)


def joined(models: Sequence[OpenMember], members: SavedMembers, sidecar: Sidecar) -> OpenedEnsemble:
    """The ensemble of opened models, their networks switched to share prefixes where all can."""
    description = members.description
    network = NetworkEnsemble([model.network for model in models], description.scales, description.combination)
    why = next((model.why_separate for model in models if model.why_separate), None)
    return OpenedEnsemble(network, models[0].tokenizer, members, sidecar, why)


def with_heads(model: OpenMember, members: ModelMembers, sidecar: Sidecar) -> OpenedEnsemble:
    """The ensemble of a model's heads."""
    description = members.description
    heads = model.head.weights if isinstance(model.head, HeadEnsemble) else None
    if heads is None or len(heads) != len(description.members):
        count = 1 if heads is None else len(heads)
        raise ContractError(f"{members.places[0]} has {count} heads, and the ensemble {len(description.members)}")
    network = HeadsNetwork(model.network, heads, description.scales, description.combination)
    network.eval()
    return OpenedEnsemble(network, model.tokenizer, members, sidecar, model.why_separate)


def under(
    network: EnsembleNetwork, combination: Combiner, scales: Sequence[MemberScale] | None = None
) -> EnsembleNetwork:
    """The same members under another rule, or on other scales."""
    chosen = network.scales if scales is None else scales
    if isinstance(network, HeadsNetwork):
        return HeadsNetwork(network.inner, network.get_buffer("weights"), chosen, combination)
    assert isinstance(network, NetworkEnsemble)
    return NetworkEnsemble(network.member_networks(), chosen, combination)
