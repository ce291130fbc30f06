"""From what a person names on the command line to train, validation and test records."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rewardsmith.data.splits.splitter import SPLITS
from rewardsmith.errors import DataError, UsageError
from rewardsmith.progress import SILENT, Progress, Task
from rewardsmith.records import Quarantined, Record
from rewardsmith.settings.in_memory import InMemory

if TYPE_CHECKING:
    from rewardsmith.data.loading.load import Loaded
    from rewardsmith.data.loading.mixing import Mix

FRACTIONS = (0.8, 0.1, 0.1)
OWN_FILES = "pass more data, a folder that rewardsmith prepare wrote, or separate files with --validation and --test"


class ReadRows(NamedTuple):
    """How many input rows were read, and those that could not be understood."""

    rows: int
    quarantined: tuple[Quarantined, ...]


@dataclass
class Splits:
    """Records by split, rows that could not be read, and one sentence per source on how it was understood."""

    train: list[Record] = field(default_factory=list)
    validation: list[Record] = field(default_factory=list)
    test: list[Record] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    not_taken: int = 0
    """Rows that were left out by a share or a cap."""
    read: dict[str, ReadRows] = field(default_factory=dict)
    """The input rows: of the dataset under train, of own validation and test files under their names."""
    judged: dict[str, list[Record]] = field(default_factory=dict)
    """The same records by split with all that was judged of them, where they follow one attribute of several."""

    def hashes(self) -> dict[str, str]:
        """A hash per split over contents and labels, for refusing a resume on other data."""
        if self.judged:
            return {name: hash_records(self.judged[name], ratings=True) for name in SPLITS}
        return {name: hash_records(getattr(self, name)) for name in SPLITS}


def hash_records(records: Iterable[Record], *, ratings: bool = False) -> str:
    """16 hex digits over ids, comparisons, and with `ratings` these, in order."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(record.id.encode())
        digest.update(repr(record.comparisons).encode())
        if ratings:
            digest.update(repr(sorted(record.ratings.items())).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class SplitRule:
    """How a source without splits of its own is divided: by hash of the opening or of a field, or with groups held out."""

    seed: int = 0
    by: str | None = None
    test_groups: int = 0
    advice: str = OWN_FILES
    """What to do where a part comes out empty, for the message."""


@dataclass(frozen=True)
class Intake:
    """How sources are read: whether the first bad row stops it, columns to rename, and how many records to take.

    Without a `mix`, sources are taken whole, and their names have no shares.
    """

    strict: bool = False
    map: tuple[str, ...] = ()
    mix: "Mix | None" = None


WHOLE = Intake()


def input_files(sources: Iterable[str]) -> list[str]:
    """The sources without their shares, with each folder followed by the data files that are read from it.

    Data in memory is no file.
    """
    from rewardsmith.data.input.readers import files_of
    from rewardsmith.data.loading.mixing import parse_source

    found: list[str] = []
    for source in sources:
        if isinstance(source, InMemory):
            continue
        name = parse_source(source).name
        found.append(name)
        if Path(name).is_dir():
            found += map(str, files_of(name))
    return found


def read_records(sources: Iterable[str], intake: Intake = WHOLE, *, progress: Progress = SILENT) -> "Loaded":
    """All records of the sources, what was quarantined, and how each source was understood."""
    from rewardsmith.data.loading.load import load

    return load(*sources, strict=intake.strict, map=intake.map, mix=intake.mix, progress=progress)


def load_splits(
    dataset: Sequence[str],
    *,
    validation: Sequence[str],
    test: Sequence[str],
    rule: SplitRule,
    intake: Intake = WHOLE,
    progress: Progress = SILENT,
) -> Splits:
    """Train, validation and test records.

    The mix of `intake` holds for the dataset; own validation and test files are taken whole.

    A folder written by `rewardsmith prepare` brings its splits. Own validation and test files are taken as they are,
    also in place of prepared ones; what is not given is split off the dataset by prompt, 80/10/10.
    UsageError where the rule does not go with the data.
    """
    given = {name: sources for name, sources in (("validation", validation), ("test", test)) if sources}
    prepared = len(dataset) == 1 and is_prepared(Path(dataset[0]))
    check_rule(rule, prepared=dataset[0] if prepared else None, own_test=bool(test))
    refuse_mixed_splits(dataset, intake)
    whole = replace(intake, mix=None)
    if prepared:
        splits = prepared_splits(Path(dataset[0]), without=given.keys(), intake=whole, progress=progress)
    else:
        loaded = read_records(dataset, intake, progress=progress)
        splits = Splits(quarantined=list(loaded.quarantined), understood=list(loaded.understood))
        splits.not_taken = loaded.not_taken
        splits.read["train"] = ReadRows(loaded.rows, loaded.quarantined)
        divide(splits, loaded.records, rule, own_validation=bool(validation), own_test=bool(test))
    for name, sources in given.items():
        loaded = read_records(sources, whole, progress=progress)
        setattr(splits, name, list(loaded.records))
        splits.quarantined += loaded.quarantined
        splits.understood += loaded.understood
        splits.read[name] = ReadRows(loaded.rows, loaded.quarantined)
    return splits


def refuse_mixed_splits(dataset: Sequence[str], intake: Intake) -> None:
    """UsageError where a single prepared folder is to be taken in part: its splits would not be those it was split for."""
    if intake.mix is None or len(dataset) != 1:
        return
    from rewardsmith.data.loading.mixing import parse_source

    part = parse_source(dataset[0])
    if is_prepared(Path(part.name)) and (part.share < 1 or intake.mix.max_per_source is not None):
        raise UsageError(
            f"{part.name} is already split, so a share or --max-per-source does not apply; use --frac for a share of "
            "its training records, or mix the sources in prepare"
        )


def check_rule(rule: SplitRule, *, prepared: str | None, own_test: bool) -> None:
    """UsageError for settings of the split that could only be ignored."""
    if prepared is not None and (rule.by is not None or rule.test_groups):
        raise UsageError(
            f"--split-by and --test-groups: {prepared} is already split; run rewardsmith prepare with --split-by "
            "instead"
        )
    if own_test and rule.test_groups:
        raise UsageError("--test-groups and --test cannot be combined; hold out groups or pass test data")


def divide(splits: Splits, records: Sequence[Record], rule: SplitRule, *, own_validation: bool, own_test: bool) -> None:
    """Split records by prompt (see SplitRule); a part whose own file was given takes no share.

    DataError where a part comes out empty.
    """
    from rewardsmith.data.splits.near_prompts import near_prompt_clusters
    from rewardsmith.data.splits.splitter import NEAR_PROMPT, Splitter, group_of, hold_out, refuse_near_groups

    if not records:
        raise DataError(nothing_usable(splits.quarantined))
    fractions = shares_of(own_validation=own_validation, own_test=own_test)
    held = None
    refuse_near_groups(rule.by, rule.test_groups)
    if rule.test_groups:
        held = hold_out((group_of(record, rule.by) for record in records), rule.test_groups, fractions=fractions)
    near = near_prompt_clusters(records, rule.seed) if rule.by == NEAR_PROMPT else {}
    splitter = Splitter(rule.seed, fractions, rule.by, held, near)
    for record in records:
        getattr(splits, splitter.side(record)).append(record)
    counts = {name: len(getattr(splits, name)) for name in SPLITS}
    if reason := splitter.why_empty(counts, lambda: len({group_of(record, rule.by) for record in records})):
        raise DataError(f"{reason}; {rule.advice}")


def shares_of(*, own_validation: bool, own_test: bool) -> tuple[float, float, float]:
    """The shares of train, validation and test to split off, nothing for a part whose own file was given."""
    validation = 0.0 if own_validation else FRACTIONS[1]
    test = 0.0 if own_test else FRACTIONS[2]
    return (1 - validation - test, validation, test)


def nothing_usable(quarantined: Sequence[Quarantined]) -> str:
    """The message for data without one usable row."""
    if not quarantined:
        return "the data contains no records; expected at least one; check the program that wrote it"
    from rewardsmith.data.input.rows import none_usable

    return none_usable(len(quarantined), Counter(row.code for row in quarantined), quarantined[0])


def follow_attribute(records: Iterable[Record], attribute: str) -> list[Record]:
    """The records with the comparisons of one attribute only, its ratings as the overall ones: what a reward follows."""
    return [following(record, attribute) for record in records]


def following(record: Record, attribute: str) -> Record:
    """One record with the judgements of one attribute; the same record where it has no others."""
    if attribute == "overall" and all(c.attribute == "overall" for c in record.comparisons):
        return record
    ratings = {"overall": record.ratings[attribute]} if attribute in record.ratings else {}
    comparisons = tuple(c for c in record.comparisons if c.attribute == attribute)
    return replace(record, comparisons=comparisons, ratings=ratings)


def attributes_of(records: Iterable[Record]) -> dict[str, int]:
    """How many comparisons there are about each attribute, by name."""
    counts = Counter(c.attribute for record in records for c in record.comparisons)
    return dict(sorted(counts.items()))


def missing_attribute(attribute: str, counts: Mapping[str, int]) -> str | None:
    """Why an attribute cannot be followed, for a message; None where it can, or where nothing is compared at all."""
    if not counts or attribute in counts:
        return None
    counted = ", ".join(f"{name} {count}" for name, count in counts.items())
    first = next(iter(counts))
    return (
        f"no comparison has the attribute {attribute!r}; comparisons by attribute: {counted}; choose one, for example "
        f"--attribute {first}"
    )


def is_prepared(folder: Path) -> bool:
    """Whether a folder was written by `rewardsmith prepare`."""
    return folder.is_dir() and (folder / "prepare.json").is_file()


def prepared_splits(folder: Path, *, without: Collection[str], intake: Intake, progress: Progress) -> Splits:
    """The splits that `prepare` wrote, except those `without`, for which there are files of their own."""
    replaced = f", except {' and '.join(without)}, which come from separate files" if without else ""
    rows = 0
    splits = Splits(understood=[f"{folder}: splits written by rewardsmith prepare{replaced}"])
    for name in SPLITS:
        if name in without:
            continue
        path = folder / f"{name}.jsonl"
        if path.is_file() and path.stat().st_size:
            loaded = read_records([str(path)], intake, progress=WithoutNotes(progress))
            setattr(splits, name, list(loaded.records))
            splits.quarantined += loaded.quarantined
            rows += loaded.rows
    splits.read["train"] = ReadRows(rows, tuple(splits.quarantined))
    progress.note(splits.understood[0])
    return splits


@dataclass(frozen=True)
class WithoutNotes:
    """The bars of a progress without its notes: of our own files there is nothing to say about columns."""

    bars: Progress

    def task(self, label: str, total: float | None, unit: str) -> AbstractContextManager[Task]:
        """A bar."""
        return self.bars.task(label, total, unit)

    def note(self, text: str) -> None:
        """Say nothing."""


def quarantine_lines(quarantined: Iterable[Quarantined]) -> list[dict[str, object]]:
    """Quarantined rows as JSON objects."""
    from dataclasses import asdict

    return [asdict(row) for row in quarantined]
