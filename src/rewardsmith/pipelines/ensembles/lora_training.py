"""LoRA members: their runs one after the other around one backbone, which is read once, on data that is tokenized once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rewardsmith.files import claimed, write_json
from rewardsmith.files.kinds import RUN
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.fitting import fit, fit_settings
from rewardsmith.pipelines.train.frozen_cache import cached_outputs
from rewardsmith.pipelines.train.pipeline import (
    as_before,
    augmented_data,
    check_run,
    data_in_summary,
    encode_splits,
)
from rewardsmith.pipelines.train.run_folder import (
    begin_run,
    fingerprint_of,
    save_augmented,
    save_settings,
    seal_run,
    summarize_run,
    telling_why,
)
from rewardsmith.pipelines.train.setup import Opened, read_model, ready_model, sampled, start_date
from rewardsmith.progress import Progress
from rewardsmith.scoring.contract import contract_in_short

if TYPE_CHECKING:
    from rewardsmith.data.splits.sources import Splits
    from rewardsmith.model.adapters.lora import AdapterFiles
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.train.augment import AugmentKind
    from rewardsmith.records import Record
    from rewardsmith.train.examples import Encoding


def train_sets(config: Config, members: Sequence[Config], splits: "Splits", progress: Progress) -> "RewardModel":
    """Train every LoRA set that is not finished; returns the ensemble of all of them on the one backbone."""
    from rewardsmith.model.ensembles.combination import Combiner
    from rewardsmith.model.ensembles.description import Description, MemberEntry
    from rewardsmith.model.ensembles.lora_sets import LoraMembers, member_folder, view_of
    from rewardsmith.model.ensembles.opening import joined
    from rewardsmith.model.reward_model import RewardModel

    opened = read_model(config, date=start_date(members[0]))
    base = view_of(opened.backbone.hf)
    models: list[RewardModel] = []
    adapters: list[AdapterFiles] = []
    prepared: MemberData | None = None
    for number, member in enumerate(members, start=1):
        if read_object(member.output / "train.json").get("finished"):
            progress.note(f"member {number} of {len(members)} is already trained")
            model = finished_set(member, opened)
        else:
            progress.note(f"member {number} of {len(members)}, seed {member.seed}")
            with claimed(member.output, RUN):
                check_run(member, processes=1)
                model, prepared = train_set(as_before(member), members[0], opened, splits, prepared, progress)
        assert model.adapter is not None
        models.append(replace(model, adapter=None))
        adapters.append(model.adapter.files())
    entries = tuple(MemberEntry(member_folder(number)) for number in range(1, len(members) + 1))
    sidecar = replace(models[0].sidecar, heads=1, head=None)
    description = Description("lora", entries, Combiner())
    lora = LoraMembers(description, base, opened.backbone.tokenizer, opened.contract, tuple(adapters))
    return RewardModel.of_ensemble(joined(models, lora, sidecar))


def member_view(member: Config, opened: Opened) -> Opened:
    """The model that was read, with a head of the member's own around the same weights."""
    from rewardsmith.model.ensembles.lora_sets import with_own_head

    return replace(opened, backbone=with_own_head(opened.backbone, seed=member.seed))


class MemberData(NamedTuple):
    """The data of all members, tokenized: what --augment added, training, validation."""

    made: Mapping["AugmentKind", Sequence["Record"]]
    train: "Encoding"
    validation: "Encoding"


def prepare_once(first: Config, splits: "Splits", model: "RewardModel", progress: Progress) -> MemberData:
    """The data as the first member's settings have them, whichever member is trained first."""
    made = augmented_data(first, splits, progress)
    return MemberData(made, *encode_splits(replace(first, frac=1.0), splits, made, model, None, progress))


def train_set(
    member: Config,
    first: Config,
    opened: Opened,
    splits: "Splits",
    prepared: MemberData | None,
    progress: Progress,
) -> tuple["RewardModel", MemberData]:
    """The run of one member, as `train` makes it but for the model folder; its adapter is left on the network."""
    from rewardsmith.model.runtime.processes import ALONE
    from rewardsmith.train.examples import take_share
    from rewardsmith.train.optimizer import count_parameters

    start = ready_model(member, member_view(member, opened))
    model = start.model
    prepared = prepared or prepare_once(first, splits, model, progress)
    chosen = take_share(prepared.train.examples, member.frac, seed=member.seed)
    train, validation = sampled(member, replace(prepared.train, examples=chosen), progress), prepared.validation
    parameters = count_parameters(model.network)
    settings = fit_settings(member, start, train, ALONE, progress)
    fingerprint = fingerprint_of(member, settings, model, train, splits)
    begin_run(member, fingerprint, processes=1, progress=progress)
    save_settings(member, splits, train, validation)
    save_augmented(member, prepared.made)
    with (
        telling_why(member.output, lr=settings.lr, parameters=parameters.all),
        cached_outputs(start, train, validation, settings, progress, ALONE),
    ):
        fitted = fit(member, settings, start, splits, train, validation, fingerprint, ALONE, progress)
    model.network.autocast = None
    model.network.eval()
    assert model.adapter is not None
    model.adapter.files().write(member.output / "adapter")
    precision = fingerprint["dtype"]
    summary = summarize_run(member, settings, model, train, fitted, parameters, dtype=precision, processes=1)
    told = data_in_summary(train, validation, prepared.made) | {"scored_as": contract_in_short(model.contract)}
    write_json(member.output / "train.json", {**summary, **told, "model_folder": None, "finished": True})
    seal_run(member.output)
    return model, prepared


def finished_set(member: Config, opened: Opened) -> "RewardModel":
    """The model of a member that was trained before, its adapter read back."""
    from rewardsmith.model.adapters.lora import Adapter
    from rewardsmith.model.loading.adapter_folders import put_adapter
    from rewardsmith.model.loading.folders import inspect_folder
    from rewardsmith.model.reward_model import RewardModel

    view = member_view(member, opened)
    model = RewardModel.build(view.backbone, opened.contract, device=member.device, dtype=member.dtype)
    model.network.autocast = None
    model.adapter = Adapter(put_adapter(model.network.hf, inspect_folder(member.output / "adapter")))
    model.network.take_head()
    model.network.eval()
    return model
