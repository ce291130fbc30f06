"""`rewardsmith prepare`: any format in, clean train, validation and test splits out, every dropped row named.

Two passes at most, a row at a time: memory holds hashes of rows, never the rows. The same sources and settings give
the same bytes.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith import files
from rewardsmith.data.builtin import is_builtin
from rewardsmith.data.loading import Loadable, iterate
from rewardsmith.data.native import to_row
from rewardsmith.data.readers import files_of, looks_like_hub_name
from rewardsmith.data.splitting import SPLITS, Split, Splitter, check_fractions, group_of, hold_out
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.checks import Finding, Seen, check, check_document, longer_preferred
from rewardsmith.records import Document, Quarantined, Record
from rewardsmith.version import VERSION

EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `prepare`."""

    sources: tuple[str, ...]
    """Files, folders or hub names to read: .jsonl, .json, .csv, .parquet, .txt, each also as .gz."""

    output: Path
    """Folder to write train.jsonl, validation.jsonl, test.jsonl and the reports into."""

    seed: int = 0
    """Seed of the split; a row's side depends on it and on the row's prompt only."""

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of prompts for train, validation and test; they add up to 1, and 0 leaves a split out."""

    split_by: str | None = None
    """Field whose values are kept on one side, such as topic; default: the opening of the conversation."""

    test_groups: int | None = None
    """Hold out this many values of --split-by as the test split, and a share of the rest for validation."""

    max_rows: int | None = None
    """Read no more than this many rows; default: all."""

    strict: bool = False
    """Stop at the first bad row, instead of putting it into quarantine."""

    overwrite: bool = False
    """Replace what the output folder holds."""

    keep_duplicates: bool = False
    """Keep rows that repeat an earlier row exactly."""


@dataclass(frozen=True)
class Result:
    """What `prepare` did: `kept + quarantined + removed == rows`; `records` of the kept rows were written to splits."""

    rows: int
    kept: int
    quarantined: int
    removed: int
    records: int
    splits: dict[str, int]
    output: str
    understood: tuple[str, ...]
    findings: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON object."""
        return asdict(self)

    def to_text(self) -> str:
        """The result for a person at a terminal."""
        lines = list(self.understood)
        lines.append(
            f"rows {self.rows:,}: kept {self.kept:,}, quarantined {self.quarantined:,}, removed {self.removed:,}"
        )
        if self.splits:
            lines.append("splits: " + ", ".join(f"{name} {count:,}" for name, count in self.splits.items()))
        if self.findings:
            lines.append("findings: " + ", ".join(f"{name} {count:,}" for name, count in self.findings.items()))
        return "\n".join([*lines, f"written to {self.output}"])


@dataclass
class Tally:
    """Counts that grow while rows pass."""

    rows: int = 0
    documents: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    splits: dict[Split, int] = field(default_factory=dict)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)
    understood: list[str] = field(default_factory=list)
    comparisons: int = 0
    ties: int = 0
    longer: int = 0
    unequal: int = 0
    first_refusal: Quarantined | None = None

    def note(self, sentence: str) -> None:
        """Keep what was understood of a file; a source that is read twice says it once."""
        if sentence not in self.understood:
            self.understood.append(sentence)

    def find(self, finding: Finding) -> None:
        """Count a finding; the first EXAMPLES of each kind are quoted."""
        key = (finding.check, finding.severity)
        self.findings[key] += 1
        quoted = self.examples.setdefault(key, [])
        if len(quoted) < EXAMPLES:
            quoted.append({"place": finding.place, "detail": finding.detail})

    def measure(self, record: Record) -> None:
        """Add a record's figures for the quality report."""
        self.comparisons += len(record.comparisons)
        self.ties += sum(comparison.is_tie for comparison in record.comparisons)
        longer, unequal = longer_preferred(record)
        self.longer += longer
        self.unequal += unequal


class Writers:
    """Files of JSON lines in one folder, each made when its first row comes."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.open: dict[str, IO[bytes]] = {}

    def write(self, name: str, row: Any) -> None:
        """Add a row to `name`.jsonl."""
        self.start(name)
        self.open[name].write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def start(self, name: str) -> None:
        """Make `name`.jsonl, if it is not there yet."""
        if name not in self.open:
            self.open[name] = self.stack.enter_context((self.folder / f"{name}.jsonl").open("wb"))


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Read, check, split and write. DataError where no row can be used or a split comes out empty."""
    check_settings(config)
    if not config.overwrite:
        files.prepare_output(config.output, overwrite=False)
    tally = Tally()
    splitter = make_splitter(config, tally, progress)
    files.write_folder(config.output, lambda folder: fill(folder, config, splitter, tally, progress))
    for sentence in tally.understood:
        progress.note(sentence)
    return result_of(config, tally)


def check_settings(config: Config) -> None:
    """Refuse settings that contradict each other, before anything is read."""
    check_fractions(config.fractions)
    if not config.sources:
        raise UsageError("no source given; expected at least one file, folder or hub name")
    if config.max_rows is not None and config.max_rows < 1:
        raise UsageError(f"max_rows is {config.max_rows}; expected at least 1, or nothing for all rows")
    if config.test_groups is not None and config.split_by is None:
        raise UsageError(
            "test_groups needs split_by: the field whose values are held out, for example --split-by topic"
        )
    refuse_foreign(config)
    output = config.output.resolve()
    for path in source_files(config):
        if output in path.resolve().parents:
            raise OutputError(
                f"{path} lies in the output folder {config.output}, which is replaced; choose another output"
            )


def refuse_foreign(config: Config) -> None:
    """Refuse to replace a folder that `prepare` did not write: a mistyped --output must not cost a home folder."""
    output = config.output
    if config.overwrite and output.is_dir() and any(output.iterdir()) and not (output / "prepare.json").is_file():
        raise OutputError(f"{output} was not written by prepare (it has no prepare.json); choose another output")


def source_files(config: Config) -> list[Path]:
    """The files that the sources stand for; built-in data and names on the hub have none here."""
    named = [source for source in config.sources if not (is_builtin(source) or looks_like_hub_name(source))]
    return [path for source in named for path in files_of(source)]


def make_splitter(config: Config, tally: Tally, progress: Progress) -> Splitter:
    """The splitter; only held-out groups need a pass over the sources first, to know their names."""
    by = config.split_by
    if config.test_groups is None:
        return Splitter(config.seed, config.fractions, by)
    groups = {group_of(item, by) for item in items(config, tally, progress) if isinstance(item, Record)}
    return Splitter(config.seed, config.fractions, by, hold_out(groups, config.test_groups, fractions=config.fractions))


def items(config: Config, tally: Tally, progress: Progress) -> Iterator[Loadable]:
    """The rows of all sources, up to `max_rows`."""
    count = 0
    with progress.task("reading", config.max_rows, "rows") as task:
        for source in config.sources:
            for item in iterate(source, strict=config.strict, note=tally.note):
                if count == config.max_rows:
                    return
                count += 1
                task.advance()
                yield item


def fill(folder: Path, config: Config, splitter: Splitter, tally: Tally, progress: Progress) -> None:
    """Write everything into `folder`."""
    seen = Seen()
    with contextlib.ExitStack() as stack:
        writers = Writers(folder, stack)
        for name in ("quarantine", "removed"):
            writers.start(name)
        for item in items(config, tally, progress):
            tally.rows += 1
            if isinstance(item, Quarantined):
                tally.first_refusal = tally.first_refusal or item
                tally.quarantined[item.code] += 1
                writers.write("quarantine", asdict(item))
            elif isinstance(item, Document):
                tally.documents += 1
                note_findings(tally, check_document(item))
            else:
                keep(item, config, splitter, tally, writers, seen)
        refuse_nothing(tally)
        if tally.splits:
            splitter.refuse_empty(tally.splits)
    files.write_json(folder / "quality.json", quality(tally))
    files.write_json(folder / "prepare.json", provenance(config))


def keep(record: Record, config: Config, splitter: Splitter, tally: Tally, writers: Writers, seen: Seen) -> None:
    """Send a record to its split, or to the removed ones."""
    removed = seen.duplicate(record)
    if removed is not None and not config.keep_duplicates:
        tally.removed[removed.check] += 1
        writers.write("removed", asdict(removed))
        return
    if removed is not None:
        tally.find(Finding("duplicate", "warning", record.place, removed.reason))
    note_findings(tally, [*check(record), *seen.contradictions(record)])
    tally.measure(record)
    side = splitter.side(record)
    tally.splits[side] = tally.splits.get(side, 0) + 1
    writers.write(side, to_row(record))


def note_findings(tally: Tally, found: list[Finding]) -> None:
    """Count several findings."""
    for finding in found:
        tally.find(finding)


def refuse_nothing(tally: Tally) -> None:
    """DataError where not one row could be used."""
    if tally.splits or tally.documents:
        return
    if tally.first_refusal is None:
        raise DataError("the sources hold no rows; expected at least one; check how they were written")
    first = tally.first_refusal
    raise DataError(f"none of the {tally.rows} rows can be used; the first, {first.file}:{first.line}: {first.reason}")


def quality(tally: Tally) -> dict[str, Any]:
    """The quality report: counts of everything, with examples of each finding."""
    return {
        "rows": tally.rows,
        "documents": tally.documents,
        "records": sum(tally.splits.values()),
        "splits": ordered_splits(tally),
        "quarantined": dict(sorted(tally.quarantined.items())),
        "removed": dict(sorted(tally.removed.items())),
        "comparisons": tally.comparisons,
        "ties": tally.ties,
        "longer_preferred": {"share": tally.longer / tally.unequal if tally.unequal else None, "of": tally.unequal},
        "understood": tally.understood,
        "findings": [
            {"check": name, "severity": severity, "count": count, "examples": tally.examples[name, severity]}
            for (name, severity), count in sorted(tally.findings.items(), key=lambda entry: (-entry[1], entry[0]))
        ],
    }


def ordered_splits(tally: Tally) -> dict[str, int]:
    """The sizes of the splits, in their usual order."""
    return {name: tally.splits[name] for name in SPLITS if name in tally.splits}


def provenance(config: Config) -> dict[str, Any]:
    """The settings that decide what was written, and the hash of each file that was read."""
    settings = asdict(config)
    # Where it was written to decides nothing, and two runs of the same settings shall give the same bytes.
    for name in ("output", "overwrite"):
        settings.pop(name)
    hashes = [{"file": str(path), "sha256": files.sha256(path)} for path in source_files(config)]
    return {"version": VERSION, "settings": settings, "inputs": hashes}


def result_of(config: Config, tally: Tally) -> Result:
    """The counts as a result; what was counted in different places has to add up."""
    records = sum(tally.splits.values())
    quarantined, removed = tally.quarantined.total(), tally.removed.total()
    kept = records + tally.documents
    assert kept + quarantined + removed == tally.rows
    findings: Counter[str] = Counter()
    for (name, _), count in tally.findings.items():
        findings[name] += count
    return Result(
        rows=tally.rows,
        kept=kept,
        quarantined=quarantined,
        removed=removed,
        records=records,
        splits=ordered_splits(tally),
        output=str(config.output),
        understood=tuple(tally.understood),
        findings=dict(sorted(findings.items(), key=lambda entry: (-entry[1], entry[0]))),
    )
