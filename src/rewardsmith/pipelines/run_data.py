"""The data of a run, read again from where it was read: which prompts a model knows, and what it can be measured on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import (
    Intake,
    Splits,
    follow_attribute,
    load_splits,
)
from rewardsmith.data.splits.splitter import SPLITS
from rewardsmith.errors import DataError, RewardsmithError, UsageError
from rewardsmith.files import sha256
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.train.head import BY_ATTRIBUTE, follow_main
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.pipelines.train.config import Config


@dataclass(frozen=True)
class RunData:
    """The splits as the run took them, and whether they are what it was trained on.

    `changed` names files whose content is another than it was, `same` tells by split whether records and labels are the
    same (None: not known).
    """

    splits: Splits
    changed: tuple[str, ...]
    same: Mapping[str, bool | None]


def run_of(model: str | Path) -> Path | None:
    """The run folder that a model lies in, or is; None where it is no run's."""
    place = Path(model)
    return next((folder for folder in (place, place.parent) if (folder / "data" / "data.json").is_file()), None)


def data_run_of(model: str | Path) -> Path | None:
    """The run whose data a model was trained on: its own, or that of the first member of a trained ensemble."""
    member = Path("members") / "01"
    return run_of(model) or run_of(Path(model) / member) or run_of(Path(model).parent / member)


def identity_of(run: Path) -> str:
    """What the `reward.json` of a run's model calls the run: the beginning of the hash of its settings, which hold hashes
    of its data and of the weights that it began with, and no name of a folder's owner.
    """
    return sha256(run / "settings.json")[:16]


def read_run_data(run: Path, progress: Progress = SILENT) -> RunData:
    """Read the data of the run in the folder `run` again, split as it was.

    Names that are relative are looked for from the current folder, then where the run found them, then beside the run.
    DataError where the data cannot be had any more.
    """
    from rewardsmith.data.loading.mixing import Mix

    told = read_object(run / "data" / "data.json")
    config = settings_of_run(run)
    if not config.dataset:
        raise DataError(f"{run / 'config.yaml'} names no data set; the run was trained on data in memory")
    found = [str(entry["file"]) for entry in told.get("files") or () if isinstance(entry, Mapping) and "file" in entry]
    dataset, validation, test = (
        tuple(reachable(name, found, run) for name in names)
        for names in (config.dataset, config.validation, config.test)
    )
    splits = load_splits(
        dataset,
        validation=validation,
        test=test,
        rule=config.split_rule,
        intake=Intake(map=config.map, mix=Mix(config.seed, config.max_per_source)),
        progress=progress,
    )
    if config.head.name in BY_ATTRIBUTE:
        follow_main(splits, config.head.name, config.attribute)
    else:
        for name in SPLITS:
            setattr(splits, name, follow_attribute(getattr(splits, name), config.attribute))
    return RunData(splits, changed_files(told, found), same_splits(told, splits, config))


def settings_of_run(run: Path) -> "Config":
    """The settings in `config.yaml`; DataError where they cannot be read."""
    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.settings import build, read_yaml

    try:
        config: Config = build(Config, read_yaml(run / "config.yaml", Config))
    except (RewardsmithError, UsageError) as error:
        raise DataError(f"the settings of the run cannot be read: {error}") from error
    return replace(config, resume=False)


def reachable(name: str, found: list[str], run: Path) -> str:
    """The name under which a source can be read now; unchanged where it is no file, or is where it was."""
    if Path(name).exists() or Path(name).is_absolute():
        return name
    ends = Path(name).parts
    for place in map(Path, found):
        for folder in (place, *place.parents):
            if folder.parts[-len(ends) :] == ends and folder.exists():
                return str(folder)
    beside = [folder / name for folder in (run, run.parent) if (folder / name).exists()]
    return str(beside[0]) if beside else name


def changed_files(told: Mapping[str, Any], found: list[str]) -> tuple[str, ...]:
    """The files whose content is not what it was; those that are gone are not named, reading them says so."""
    before = {str(entry["file"]): entry.get("sha256") for entry in told.get("files") or () if "file" in entry}
    return tuple(name for name in found if Path(name).is_file() and sha256(Path(name)) != before[name])


def same_splits(told: Mapping[str, Any], splits: Splits, config: "Config") -> dict[str, bool | None]:
    """By split, whether records and labels are what they were when the run began."""
    before = told.get("hashes")
    now = splits.hashes()
    if not isinstance(before, Mapping):
        return dict.fromkeys(SPLITS)
    unknown = ("train",) if config.merge_prompts else ()
    return {name: None if name in unknown else before.get(name) == now[name] for name in SPLITS}
