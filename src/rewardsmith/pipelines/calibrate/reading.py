"""Which records a calibration is fitted on: held out from training, and what overlaps is refused, dropped or kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rewardsmith.data.splits.sources import (
    Intake,
    SplitRule,
    attributes_of,
    follow_attribute,
    is_prepared,
    load_splits,
    missing_attribute,
    read_records,
)
from rewardsmith.errors import DataError, RewardsmithError, UsageError
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record

if TYPE_CHECKING:
    from rewardsmith.pipelines.run_data import RunData

WhatOverlaps = Literal["refuse", "drop", "keep"]
REFUSED = ("same_pair", "near_pair", "same_prompt")
"""Kinds of overlap on which a model may know the answers; similar prompts with other responses are counted."""


@dataclass(frozen=True)
class HeldOutData:
    """The records to fit on, how they are named, rows that could not be read, and how many records overlap, by kind.

    `overlap` is None where the training data is not known; `dropped` records were left out for it.
    """

    records: Sequence[Record]
    name: str
    quarantined: Sequence[Quarantined]
    overlap: Mapping[str, int] | None
    dropped: int


def held_out_records(
    model: str,
    sources: Sequence[str],
    intake: Intake,
    *,
    split: str | None,
    attribute: str,
    overlap: WhatOverlaps,
    progress: Progress,
) -> HeldOutData:
    """The records of the sources, or without any the validation data of the run that the model belongs to.

    DataError where they overlap with the training data and `overlap` is refuse, or where none is left.
    """
    run = data_of_run(model, progress)
    records, name, quarantined = chosen(model, sources, intake, split, run, progress)
    if problem := missing_attribute(attribute, attributes_of(records)):
        raise DataError(problem)
    followed = follow_attribute(records, attribute)
    if run is None:
        return HeldOutData(followed, name, quarantined, None, 0)
    kept, counts = without_overlap(followed, run.splits.train, overlap)
    return HeldOutData(kept, name, quarantined, counts, len(followed) - len(kept))


def data_of_run(model: str, progress: Progress) -> "RunData | None":
    """The data that the model was trained on; None, and a note on why, where it cannot be had."""
    from rewardsmith.pipelines.run_data import read_run_data, run_of

    run = run_of(model)
    if run is None:
        progress.note(f"{model} is not in a run folder, so overlap with its training data is not checked")
        return None
    try:
        return read_run_data(run, progress)
    except RewardsmithError as error:
        progress.note(f"overlap with the training data is not checked: {error}")
        return None


def chosen(
    model: str, sources: Sequence[str], intake: Intake, split: str | None, run: "RunData | None", progress: Progress
) -> tuple[Sequence[Record], str, Sequence[Quarantined]]:
    """The records, their name, and the rows that could not be read."""
    if not sources:
        if run is None:
            raise UsageError(f"SOURCES is missing, and the validation data of {model} is not known; pass held-out data")
        return getattr(run.splits, split or "validation"), f"{split or 'validation'} data of the run", ()
    named = ", ".join(str(source) for source in sources)
    prepared = len(sources) == 1 and is_prepared(Path(sources[0]))
    if not prepared and split is None:
        loaded = read_records(sources, intake, progress=progress)
        return loaded.records, named, loaded.quarantined
    name = split or "validation"
    rule = SplitRule(advice="add data, or remove --split to use all data")
    splits = load_splits(sources, validation=(), test=(), rule=rule, intake=intake, progress=progress)
    return getattr(splits, name), f"{named} ({name})", splits.read["train"].quarantined


def without_overlap(
    records: Sequence[Record], training: Sequence[Record], overlap: WhatOverlaps
) -> tuple[list[Record], dict[str, int]]:
    """The records to keep, and how many stand how to the training data."""
    from rewardsmith.quality.cross_row.overlap import KINDS, overlap_with

    found = overlap_with(records, training)
    counts = Counter(found.kinds)
    known = sum(counts[kind] for kind in REFUSED)
    if known and overlap == "refuse":
        judged, trained, _ = found.examples[0]
        raise DataError(
            f"{known} of {len(records)} records are in the training data of the model (first {judged}, there {trained}), "
            "on which it is more confident than on others; pass held-out data, or --overlap drop to exclude them"
        )
    kept = [r for r, kind in zip(records, found.kinds, strict=True) if overlap == "keep" or kind not in REFUSED]
    if not kept:
        raise DataError(f"all {len(records)} records are in the training data of the model; pass held-out data")
    return kept, {kind: counts[kind] for kind in KINDS}
