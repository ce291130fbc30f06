"""Which records are audited: those of a source or a split of it, and of them so many prompts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from rewardsmith.errors import DataError
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record


@dataclass(frozen=True)
class Audited:
    """The records that are audited, the prompts that the source has, the split, and the rows that could not be read."""

    records: Sequence[Record]
    prompts: int
    split: str
    quarantined: Sequence[Quarantined]


def audited_records(
    sources: Sequence[str],
    intake: Intake,
    *,
    split: str | None,
    attribute: str,
    most: int,
    seed: int,
    progress: Progress,
) -> Audited:
    """The records of `most` prompts (0: of all), by a hash of the prompt, so that the same prompts are taken again.

    DataError where there is none, or nothing is said about the attribute.
    """
    records, name, quarantined = of_split(sources, intake, split, progress)
    if not records:
        raise DataError(f"{', '.join(sources)} has no usable record; expected at least one prompt with a response")
    if attribute != "overall" and (problem := missing_attribute(attribute, attributes_of(records))):
        raise DataError(problem)
    followed = follow_attribute(records, attribute)
    prompts = sorted({record.prompt_id for record in followed}, key=lambda prompt: drawn(seed, prompt))
    kept = set(prompts[:most] if most else prompts)
    chosen = [record for record in followed if record.prompt_id in kept]
    return Audited(chosen, len(prompts), name, quarantined)


def drawn(seed: int, prompt: str) -> str:
    """A hash of the seed and a prompt, to order prompts by."""
    return hashlib.sha256(f"{seed}:{prompt}".encode()).hexdigest()


def of_split(
    sources: Sequence[str], intake: Intake, split: str | None, progress: Progress
) -> tuple[Sequence[Record], str, Sequence[Quarantined]]:
    """The records of a split (test of prepared data by default), its name, and the rows that could not be read."""
    prepared = len(sources) == 1 and is_prepared(Path(sources[0]))
    if not prepared and split is None:
        loaded = read_records(sources, intake, progress=progress)
        return loaded.records, "all", loaded.quarantined
    name = split or "test"
    rule = SplitRule(advice="add data, or remove --split to audit on all data")
    splits = load_splits(sources, validation=(), test=(), rule=rule, intake=intake, progress=progress)
    return getattr(splits, name), name, splits.read["train"].quarantined
