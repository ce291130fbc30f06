"""Reward models → an ensemble of them in a folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import Intake, attributes_of, follow_attribute, missing_attribute, read_records
from rewardsmith.errors import DataError, RewardsmithError, UsageError
from rewardsmith.pipelines.ensembles.held_out import fitted_ensemble
from rewardsmith.pipelines.run_data import data_run_of, read_run_data
from rewardsmith.progress import Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.ensembles.combination import Combiner
    from rewardsmith.model.ensembles.description import Description
    from rewardsmith.model.reward_model import RewardModel


@dataclass(frozen=True)
class SplitSources:
    """What is fitted or measured on: data of its own for each split, else that split of the first member's run."""

    given: Mapping[str, tuple[str, ...]]
    map: tuple[str, ...] = ()
    attribute: str = "overall"

    def records(self, split: str, first: str, progress: Progress) -> list[Record]:
        """The records of `split`; none, with a note where a run cannot be read, where none are known."""
        if sources := self.given.get(split):
            loaded = read_records(sources, Intake(map=self.map), progress=progress)
            if problem := missing_attribute(self.attribute, attributes_of(loaded.records)):
                raise DataError(problem)
            return follow_attribute(loaded.records, self.attribute)
        try:
            run = data_run_of(first)
            found: list[Record] = [] if run is None else getattr(read_run_data(run).splits, split)
        except RewardsmithError as error:
            progress.note(f"the {split} split of {first} cannot be read: {error}")
            return []
        if found:
            progress.note(f"using the {split} split of {first} ({len(found)} records)")
        return found


def join(
    names: Sequence[str],
    combiner: "Combiner",
    held: SplitSources,
    *,
    device: str,
    trust: bool,
    progress: Progress,
) -> "RewardModel":
    """The ensemble of these models (or of the heads of one), on one scale where validation data is known.

    ContractError where they do not score the same tokens, UsageError for one model without several heads.
    """
    models = opened_members(names, device=device, trust=trust, progress=progress)
    ensemble = ensemble_of(models, names, combiner)
    records = held.records("validation", names[0], progress)
    if records:
        return fitted_ensemble(ensemble, records, combiner, progress)
    progress.note(
        "no validation data is known, so the members' rewards are combined as they are, whatever their scales; pass "
        "--validation DATA to put them on one scale"
    )
    return ensemble


def opened_members(names: Sequence[str], *, device: str, trust: bool, progress: Progress) -> "list[RewardModel]":
    """The models, with what a person should know of each."""
    from rewardsmith.model.reward_model import RewardModel

    models = [RewardModel.load(name, device=device, trust_remote_code=trust) for name in names]
    for remark in (remark for model in models for remark in model.remarks()):
        progress.note(remark)
    return models


def ensemble_of(models: "Sequence[RewardModel]", names: Sequence[str], combiner: "Combiner") -> "RewardModel":
    """The models as one, their rewards as they are."""
    from rewardsmith.model.ensembles.description import Description, MemberEntry
    from rewardsmith.model.ensembles.members import ModelMembers, identity_of, refuse_unlike
    from rewardsmith.model.ensembles.opening import joined, with_heads
    from rewardsmith.model.loading.locating import locate
    from rewardsmith.model.reward_model import RewardModel

    if len(models) == 1 and models[0].members is not None:
        return models[0].combined(combiner)
    refuse_nested(models, names)
    refuse_unlike(models, names)
    places = tuple(locate(name) for name in names)
    entries = [MemberEntry(place, identity_of(place)) for place in places]
    sidecar = replace(
        models[0].sidecar, normalizer=None, calibration=None, probes=(), heads=1, readout=None, offset=0.0
    )
    if len(models) == 1:
        heads = models[0].sidecar.heads
        if heads < 2:
            raise UsageError(f"{names[0]} is a single model; an ensemble needs two models, or one with several heads")
        members = ModelMembers(Description("heads", tuple(entries * heads), combiner), places * heads)
        return RewardModel.of_ensemble(with_heads(models[0], members, sidecar))
    members = ModelMembers(Description("models", tuple(entries), combiner), places)
    return RewardModel.of_ensemble(joined(models, members, sidecar))


def refuse_nested(models: "Sequence[RewardModel]", names: Sequence[str]) -> None:
    """UsageError for a member that is an ensemble of models itself, and for one that is named twice."""
    for model, name in zip(models, names, strict=True):
        if model.members is not None:
            raise UsageError(f"{name} is an ensemble; pass its members instead")
    places = [str(Path(name).resolve()) if Path(name).exists() else name for name in names]
    if twice := next((name for name, place in zip(names, places, strict=True) if places.count(place) > 1), None):
        raise UsageError(f"{twice} is given twice; a member counts once")


def described(description: "Description") -> list[dict[str, Any]]:
    """The members of an ensemble for a result."""
    return [{"path": one.path, "centre": one.scale.centre, "scale": one.scale.scale} for one in description.members]
