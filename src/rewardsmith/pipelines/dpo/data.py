"""Preference data of a DPO run: read, split by prompt, one attribute followed, turned into token ids."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rewardsmith.data.splits.sources import (
    Intake,
    Splits,
    attributes_of,
    follow_attribute,
    is_prepared,
    load_splits,
    missing_attribute,
    read_records,
)
from rewardsmith.data.splits.splitter import Splitter
from rewardsmith.errors import TrainingError
from rewardsmith.pipelines.dpo.config import Config
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record

if TYPE_CHECKING:
    from rewardsmith.align.dpo.opening import OpenedPolicy
    from rewardsmith.train.examples import Encoding


@dataclass
class PairData:
    """Records to train and to validate on, rows that could not be read, and how the sources were understood."""

    train: list[Record]
    validation: list[Record]
    quarantined: list[Quarantined] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    rows: int = 0

    def hashes(self) -> dict[str, str]:
        """A hash per split over contents and labels, for refusing a resume on other data."""
        found = Splits(train=self.train, validation=self.validation).hashes()
        return {name: found[name] for name in ("train", "validation")}


def load_pairs(config: Config, progress: Progress) -> PairData:
    """Read the data; TrainingError where nothing is preferred to anything."""
    from rewardsmith.data.input.renaming import parse_renames

    parse_renames(config.map)
    intake = Intake(config.strict, config.map)
    if len(config.pairs) == 1 and is_prepared(Path(config.pairs[0])):
        data = prepared(config, intake, progress)
    else:
        data = read(config, intake, progress)
    keep_attribute(data, config.attribute, progress)
    decided = [c for record in data.train for c in record.comparisons if not c.is_tie]
    if not decided:
        raise TrainingError(
            f"in {len(data.train)} training records no response is preferred to another; expected chosen and rejected, "
            "scores or rankings"
        )
    if not data.validation:
        progress.note("no validation data: the weights of the last step are kept, and the result is not measured")
    return data


def prepared(config: Config, intake: Intake, progress: Progress) -> PairData:
    """The splits that `prepare` wrote; its test split stays unused."""
    from rewardsmith.data.splits.sources import SplitRule

    found = load_splits(
        config.pairs, validation=config.validation, test=(), rule=SplitRule(), intake=intake, progress=progress
    )
    rows = sum(read.rows for read in found.read.values())
    return PairData(found.train, found.validation, found.quarantined, found.understood, rows)


def read(config: Config, intake: Intake, progress: Progress) -> PairData:
    """The records of the sources; without validation data of their own, a share of the prompts is set aside.

    Where that would be all of them, as prompts behind the same examples have one opening, none is.
    """
    loaded = read_records(config.pairs, intake, progress=progress)
    data = PairData([], [], list(loaded.quarantined), list(loaded.understood), loaded.rows)
    share = 0.0 if config.validation else config.validation_share
    splitter = Splitter(config.seed, (1.0 - share, share, 0.0))
    for record in loaded.records:
        (data.train if splitter.side(record) == "train" else data.validation).append(record)
    if data.validation and not data.train:
        data.train, data.validation = data.validation, []
        progress.note(
            f"none of the {len(data.train)} records is set aside to validate on: those with the same opening (system turn "
            "and first user turn) stay together, and that would take all of them"
        )
    if config.validation:
        held = read_records(config.validation, intake, progress=progress)
        data.validation = list(held.records)
        data.quarantined += held.quarantined
        data.understood += held.understood
    return data


def keep_attribute(data: PairData, attribute: str, progress: Progress) -> None:
    """Follow one attribute; TrainingError where no training comparison is about it."""
    counts = attributes_of(data.train)
    if problem := missing_attribute(attribute, counts):
        raise TrainingError(problem)
    if len(counts) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        progress.note(f"training on the attribute {attribute}; comparisons by attribute: {listed}")
    data.train, data.validation = (follow_attribute(some, attribute) for some in (data.train, data.validation))


def encoded(config: Config, data: PairData, policy: "OpenedPolicy", progress: Progress) -> "tuple[Encoding, Encoding]":
    """Training and validation records as examples; TrainingError where none can be trained on."""
    from rewardsmith.train.examples import encode_examples

    share = policy.network.packed
    train = encode_examples(data.train, policy.encoder, share=share, progress=progress)
    validation = encode_examples(data.validation, policy.encoder, share=share)
    train.left_out.read(data.rows, data.quarantined)
    for line in (*train.left_out.lines("training data"), *validation.left_out.lines("validation data")):
        progress.note(line)
    if not train.examples:
        raise TrainingError(f"no training data: {train.left_out.in_one_line()}")
    return train, validation
