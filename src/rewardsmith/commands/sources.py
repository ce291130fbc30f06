"""From what a person names on the command line to train, validation and test records."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from rewardsmith.errors import DataError, UsageError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Quarantined, Record

SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")
FRACTIONS = (0.8, 0.1, 0.1)
OWN_FILES = "add data, or give files of your own with --validation and --test"


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
    """How a source without splits of its own is divided: by hash of the opening or of a field, or with groups held out."""

    seed: int = 0
    by: str | None = None
    test_groups: int = 0
    advice: str = OWN_FILES
    """What to do where a part comes out empty, for the message."""


def input_files(sources: Iterable[str]) -> list[str]:
    """The sources, with each folder followed by the data files that are read from it."""
    from rewardsmith.data.readers import files_of

    found: list[str] = []
    for source in sources:
        found.append(source)
        if Path(source).is_dir():
            found += map(str, files_of(source))
    return found


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

    A folder written by `rewardsmith prepare` brings its splits. Own validation and test files are taken as they are,
    also in place of prepared ones; what is not given is split off the dataset by prompt, 80/10/10.
    UsageError where the rule does not go with the data.
    """
    given = {name: sources for name, sources in (("validation", validation), ("test", test)) if sources}
    prepared = len(dataset) == 1 and is_prepared(Path(dataset[0]))
    check_rule(rule, prepared=dataset[0] if prepared else None, own_test=bool(test))
    if prepared:
        splits = prepared_splits(Path(dataset[0]), without=given.keys(), strict=strict, progress=progress)
    else:
        records, quarantined, understood = read_records(dataset, strict=strict, progress=progress)
        splits = Splits(quarantined=quarantined, understood=understood)
        divide(splits, records, rule, own_validation=bool(validation), own_test=bool(test))
    for name, sources in given.items():
        own, bad, said = read_records(sources, strict=strict, progress=progress)
        setattr(splits, name, own)
        splits.quarantined += bad
        splits.understood += said
    return splits


def check_rule(rule: SplitRule, *, prepared: str | None, own_test: bool) -> None:
    """UsageError for settings of the split that could only be ignored."""
    if prepared is not None and (rule.by is not None or rule.test_groups):
        raise UsageError(
            f"--split-by and --test-groups: {prepared} is split already; run rewardsmith prepare with --split-by instead"
        )
    if own_test and rule.test_groups:
        raise UsageError("--test-groups and --test exclude each other: hold groups out, or give the test data")


def divide(splits: Splits, records: Sequence[Record], rule: SplitRule, *, own_validation: bool, own_test: bool) -> None:
    """Split records by prompt (see SplitRule); a part whose own file was given takes no share.

    DataError where a part comes out empty.
    """
    from rewardsmith.data.splitting import Splitter, group_of, hold_out

    if not records:
        raise DataError(nothing_usable(splits.quarantined))
    fractions = shares_of(own_validation=own_validation, own_test=own_test)
    held = None
    if rule.test_groups:
        held = hold_out((group_of(record, rule.by) for record in records), rule.test_groups, fractions=fractions)
    splitter = Splitter(rule.seed, fractions, rule.by, held)
    counts = dict.fromkeys(SPLITS, 0)
    for record in records:
        name = splitter.side(record)
        counts[name] += 1
        getattr(splits, name).append(record)
    try:
        splitter.refuse_empty(counts)
    except DataError as error:
        # Its advice is for `prepare`, which has --fractions; here there are none.
        told, _, _ = str(error).partition("; add data")
        raise DataError(f"{told}; {rule.advice}") from None


def shares_of(*, own_validation: bool, own_test: bool) -> tuple[float, float, float]:
    """The shares of train, validation and test to split off, nothing for a part whose own file was given."""
    validation = 0.0 if own_validation else FRACTIONS[1]
    test = 0.0 if own_test else FRACTIONS[2]
    return (1 - validation - test, validation, test)


def nothing_usable(quarantined: Sequence[Quarantined]) -> str:
    """The message for data without one usable row."""
    if not quarantined:
        return "the data holds no records; expected at least one; check how it was written"
    first = quarantined[0]
    return f"none of the {len(quarantined)} rows can be used; the first, {first.file}:{first.line}: {first.reason}"


def is_prepared(folder: Path) -> bool:
    """Whether a folder was written by `rewardsmith prepare`."""
    return folder.is_dir() and (folder / "prepare.json").is_file()


def prepared_splits(folder: Path, *, without: Collection[str], strict: bool, progress: Progress) -> Splits:
    """The splits that `prepare` wrote, except those `without`, for which there are files of their own."""
    replaced = f", except {' and '.join(without)}, given as files" if without else ""
    splits = Splits(understood=[f"{folder}: splits written by rewardsmith prepare{replaced}"])
    for name in SPLITS:
        if name in without:
            continue
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


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of ours; empty where the file is not there."""
    return orjson.loads(path.read_bytes()) if path.is_file() else {}
