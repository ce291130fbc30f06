"""What `evaluate` reads: the records to judge, those for the temperature, and what the model was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rewardsmith.data.splits.sources import (
    Intake,
    SplitRule,
    attributes_of,
    follow_attribute,
    input_files,
    is_prepared,
    load_splits,
    missing_attribute,
    read_records,
)
from rewardsmith.errors import DataError, RewardsmithError
from rewardsmith.files import refuse_inside
from rewardsmith.pipelines.evaluate.config import Config
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record
from rewardsmith.scoring.left_out import LeftOut

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel


def check_inputs(config: Config, output: Path) -> None:
    """OutputError where emptying the output would delete the model or the data."""
    inner = str(Path(config.model) / "model")  # where a run folder has its model
    refuse_inside(output, [config.model, inner, *input_files([*config.sources, *config.validation])])


def split_records(config: Config, progress: Progress) -> tuple[Sequence[Record], str, LeftOut]:
    """The records of the split, with all that is said about them."""
    intake = Intake(config.strict, config.map)
    prepared = len(config.sources) == 1 and is_prepared(Path(config.sources[0]))
    if not prepared and config.split is None:
        loaded = read_records(config.sources, intake, progress=progress)
        return loaded.records, "all", rows_read(loaded.rows, loaded.quarantined)
    name = config.split or "test"
    rule = SplitRule(advice="add data, or remove --split to evaluate on all data")
    splits = load_splits(config.sources, validation=(), test=(), rule=rule, intake=intake, progress=progress)
    return getattr(splits, name), name, rows_read(*splits.read["train"])


def validation_records(config: Config, attribute: str, progress: Progress) -> tuple[list[Record], LeftOut]:
    """The records to fit the temperature on, and what was read for them."""
    if not config.validation:
        return [], rows_read(0, ())
    loaded = read_records(config.validation, Intake(map=config.map), progress=progress)
    return follow_attribute(loaded.records, attribute), rows_read(loaded.rows, loaded.quarantined)


def rows_read(rows: int, quarantined: Sequence[Quarantined]) -> LeftOut:
    """An account that begins with the input rows."""
    account = LeftOut()
    account.read(rows, quarantined)
    return account


def attribute_of(config: Config, records: Sequence[Record], model: "RewardModel | None", progress: Progress) -> str:
    """The attribute to judge by: --attribute, or, where no comparison is of the whole, the one that a model whose head
    learns attributes was trained to follow, which is noted.

    DataError where nothing is said about it.
    """
    from rewardsmith.pipelines.train.head import followed_attribute

    head = None if model is None or model.sidecar.head is None else model.sidecar.head.name
    attribute = followed_attribute(head, config.attribute, records)
    if problem := missing_attribute(attribute, attributes_of(records)):
        raise DataError(problem)
    if attribute != config.attribute:
        progress.note(
            f"no comparison has the attribute {config.attribute!r}; accuracy is that on comparisons of {attribute!r}"
        )
    return attribute


def training_records(config: Config, progress: Progress) -> Sequence[Record]:
    """What the model was trained on, where it lies in a run whose data is still there; why not is noted."""
    from rewardsmith.pipelines.run_data import data_run_of, read_run_data

    run = data_run_of(config.model)
    if run is None:
        progress.note(f"{config.model} is not in a run folder, so overlap with its training data is not checked")
        return ()
    try:
        return read_run_data(run, progress).splits.train
    except RewardsmithError as error:
        progress.note(f"overlap with the training data is not checked: {error}")
        return ()
