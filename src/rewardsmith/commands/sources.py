"""From what a person names on the command line to train, validation and test records."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson

from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Quarantined, Record

SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")
FRACTIONS = (0.8, 0.1, 0.1)


@dataclass
class Splits:
    """Records by split, rows that could not be read, and one sentence per source on how it was understood."""

    train: list[Record] = field(default_factory=list)
    validation: list[Record] = field(default_factory=list)
    test: list[Record] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)

    def hashes(self) -> dict[str, str]:
        """A hash per split over contents and labels, for refusing a resume on other data."""
        return {name: hash_records(getattr(self, name)) for name in SPLITS}


def hash_records(records: Iterable[Record]) -> str:
    """16 hex digits over ids and comparisons, in order."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(record.id.encode())
        digest.update(repr(record.comparisons).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class SplitRule:
    """How a source without splits of its own is divided: by hash of the opening, or by a field with held-out groups."""

    seed: int = 0
    by: str | None = None
    test_groups: int = 0


def read_records(
    sources: Sequence[str], *, strict: bool = False, progress: Progress = SILENT
) -> tuple[list[Record], list[Quarantined], list[str]]:
    """All records of the sources, what was quarantined, and how each source was understood."""
    from rewardsmith.data.loading import load

    loaded = load(*sources, strict=strict, progress=progress)
    return list(loaded.records), list(loaded.quarantined), list(loaded.understood)


def load_splits(
    dataset: Sequence[str],
    *,
    validation: Sequence[str],
    test: Sequence[str],
    rule: SplitRule,
    strict: bool = False,
    progress: Progress = SILENT,
) -> Splits:
    """Train, validation and test records.

    A folder written by `rewardsmith prepare` brings its splits. Own validation and test files are taken as they are;
    what is not given is split off the dataset by prompt, 80/10/10.
    """
    if len(dataset) == 1 and is_prepared(Path(dataset[0])):
        return prepared_splits(Path(dataset[0]), strict=strict, progress=progress)
    records, quarantined, understood = read_records(dataset, strict=strict, progress=progress)
    splits = Splits(quarantined=quarantined, understood=understood)
    divide(splits, records, rule, own_validation=bool(validation), own_test=bool(test))
    for name, sources in (("validation", validation), ("test", test)):
        if sources:
            own, bad, said = read_records(sources, strict=strict, progress=progress)
            setattr(splits, name, own)
            splits.quarantined += bad
            splits.understood += said
    return splits


def divide(splits: Splits, records: Sequence[Record], rule: SplitRule, *, own_validation: bool, own_test: bool) -> None:
    """Split records by prompt; a part whose own file was given stays in training."""
    from rewardsmith.data.splitting import assign, group_of, hold_out, refuse_empty, without_test

    held = hold_out((group_of(record, rule.by) for record in records), rule.test_groups) if rule.test_groups else None
    fractions = FRACTIONS if held is None else without_test(FRACTIONS)
    by = rule.by if held is None else None
    counts = dict.fromkeys(SPLITS, 0)
    for record in records:
        in_test = held is not None and group_of(record, rule.by) in held
        name = "test" if in_test else assign(record, seed=rule.seed, fractions=fractions, by=by)
        counts[name] += 1
        taken = (name == "validation" and own_validation) or (name == "test" and own_test)
        getattr(splits, "train" if taken else name).append(record)
    refuse_empty(counts, FRACTIONS, "prompts" if rule.by is None else rule.by)


def is_prepared(folder: Path) -> bool:
    """Whether a folder was written by `rewardsmith prepare`."""
    return folder.is_dir() and (folder / "prepare.json").is_file()


def prepared_splits(folder: Path, *, strict: bool, progress: Progress) -> Splits:
    """The splits that `prepare` wrote."""
    splits = Splits(understood=[f"{folder}: splits written by rewardsmith prepare"])
    for name in SPLITS:
        path = folder / f"{name}.jsonl"
        if path.is_file() and path.stat().st_size:
            records, bad, _ = read_records([str(path)], strict=strict, progress=progress)
            setattr(splits, name, records)
            splits.quarantined += bad
    return splits


def quarantine_lines(quarantined: Iterable[Quarantined]) -> list[dict[str, object]]:
    """Quarantined rows as JSON objects."""
    from dataclasses import asdict

    return [asdict(row) for row in quarantined]


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a file of ours; empty where the file is not there."""
    return orjson.loads(path.read_bytes()) if path.is_file() else {}
