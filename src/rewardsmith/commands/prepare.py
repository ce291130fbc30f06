"""`rewardsmith prepare`: any format in, clean train, validation and test splits out, every dropped row named.

Chunks of rows are looked at, in several processes where there are many; what they say about each other is found from
hashes; then each row is sent to its place. Memory holds hashes of rows, never the rows, which wait in a temporary file.
The same sources and settings give the same bytes, whatever the number of processes.
"""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from rewardsmith import files
from rewardsmith.data.input.hub import looks_like_hub_name
from rewardsmith.data.input.readers import files_of
from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.loading.chunks import Notes, Reading, read
from rewardsmith.data.loading.load import Loadable
from rewardsmith.data.loading.mixing import CHECK as NOT_TAKEN
from rewardsmith.data.loading.mixing import Mix, parse_source
from rewardsmith.data.splits.splitter import (
    NEAR_PROMPT,
    Splitter,
    check_fractions,
    group_of,
    hold_out,
    refuse_near_groups,
)
from rewardsmith.data.synthetic.builtin import is_builtin
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.files.kinds import PREPARED
from rewardsmith.language import current, display_width, padded, say
from rewardsmith.parallel.backends import Engine, spread
from rewardsmith.pipelines.prepare.chunk_worker import Looking, look, unpacked
from rewardsmith.pipelines.prepare.cross_row import (
    REMOVABLE,
    Across,
    Search,
    open_benchmark,
)
from rewardsmith.pipelines.prepare.label_noise import Labels, check_labels, labels_told, look_at_labels
from rewardsmith.pipelines.prepare.row_checks import Judge, Rules
from rewardsmith.pipelines.prepare.row_router import Sorting, Writers
from rewardsmith.pipelines.prepare.statistics import Tally, ordered_splits, quality
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.row.limits import Limits, check_limits
from rewardsmith.quality.row.signals import Known
from rewardsmith.records import Record
from rewardsmith.report.quality.page import render_quality
from rewardsmith.version import VERSION


@dataclass(frozen=True, kw_only=True)
class Config(Labels, Limits):
    """Settings of `prepare`."""

    sources: tuple[str, ...]
    """Files, folders or hub names (owner/name:config:split) to read; `a.jsonl:0.3` takes three records in ten."""

    output: Path
    """Folder to write train.jsonl, validation.jsonl, test.jsonl and the reports into."""

    seed: int = 0
    """Seed of the split and of what is taken; a row's side depends on it and on the row's prompt only."""

    map: tuple[str, ...] = ()
    """Columns under other names, as in prompt=instruction or chosen=annotations.best."""

    max_per_source: int | None = None
    """Take no more than this many records of each source, chosen by hash; default: all."""

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of prompts for train, validation and test; they add up to 1, and 0 leaves a split out."""

    split_by: str | None = None
    """Field whose values are kept on one side, such as topic, or near-prompt; default: the conversation's opening."""

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

    remove: tuple[str, ...] = ()
    """A check whose rows are removed, as in refusal or near_duplicate; repeat it for several; default: report only."""

    repair: bool = False
    """Undo encoding damage where nothing was lost; default: report only."""

    signals: Path | None = None
    """Folder of an earlier run over the same sources whose measured values are taken over, to try other thresholds."""

    near_threshold: float = 0.8
    """Similarity from which rows and prompts are near-duplicates, 0.7 to 1; 0 does not look for them."""

    decontaminate: tuple[str, ...] = ()
    """Benchmark files; rows that hold one of their texts are taken out and listed in contamination.jsonl."""

    overlap: float = 0.5
    """Share of a benchmark text's runs of 13 words (or Chinese characters) that makes a row contaminated."""

    workers: int | None = None
    """Processes that look at rows; default: one per core, and none for a few thousand rows."""

    engine: Engine = "local"
    """Where rows are looked at: local (this machine), or ray (Ray Data, a cluster that RAY_ADDRESS names)."""


@dataclass(frozen=True)
class Result:
    """What `prepare` did: `kept + quarantined + removed == rows`; `records` made of the kept rows are in the splits.

    `joined` of the kept rows are part of an earlier row's record; `not_taken` of the removed ones were left out by a
    share or a cap. `quarantined_by` and `removed_by` count their rows by code and check (docs/data-formats.md).
    """

    rows: int
    kept: int
    quarantined: int
    removed: int
    joined: int
    not_taken: int
    records: int
    splits: dict[str, int]
    output: str
    understood: tuple[str, ...]
    findings: dict[str, int]
    quarantined_by: dict[str, int]
    removed_by: dict[str, int]
    repaired: int
    reused: int
    filters: tuple[dict[str, Any], ...]
    shortcuts: dict[str, Any] | None
    label_noise: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON object."""
        return asdict(self)

    def to_text(self) -> str:
        """The result for a person at a terminal."""
        lines = list(self.understood)
        lines.append(
            f"rows {self.rows:,}: kept {self.kept:,}, quarantined {self.quarantined:,}, removed {self.removed:,}"
        )
        if self.joined:
            lines.append(f"of those kept, joined to an earlier row: {self.joined:,}")
        if self.quarantined_by:
            lines.append("quarantined: " + counted(self.quarantined_by))
        if self.removed_by:
            lines.append("removed: " + counted(self.removed_by))
        if self.splits:
            lines.append("splits: " + counted(self.splits))
        if self.repaired:
            lines.append(f"texts repaired: {self.repaired:,}; see repaired.jsonl")
        if self.reused:
            lines.append(f"rows whose measured values were taken over: {self.reused:,}")
        lines += [*table(self.filters), *labels_told(self.shortcuts, self.label_noise)]
        return "\n".join([*lines, f"written to {self.output}"])


def counted(counts: Mapping[str, int]) -> str:
    """Counts by name in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def table(filters: tuple[dict[str, Any], ...]) -> list[str]:
    """A line per check that saw something: its name, the rows it found and removed, its threshold, and what it means."""
    heads = ("check", "found", "removed", "threshold", "meaning")
    lines = [tuple(map(say, heads))]
    for one in filters:
        threshold = "" if one["threshold"] is None else str(one["threshold"])
        counts = (f"{one['found']:,}", f"{one['removed']:,}")
        lines.append((one["check"], *counts, threshold, say(one["meaning"])))
    if not filters:
        return []
    widths = [max(display_width(line[column]) for line in lines) for column in range(len(heads) - 1)]
    return ["  ".join([*map(padded, line, widths), line[-1]]).rstrip() for line in lines]


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Read, check, split and write. DataError where no row can be used or a split comes out empty."""
    with files.claimed(config.output, PREPARED):
        return prepared(config, progress)


def prepared(config: Config, progress: Progress) -> Result:
    """The work of `prepare`; its output is claimed."""
    check_settings(config)
    search = Search(config.near_threshold, config.overlap)
    tally = Tally(limits=config, thresholds=search.thresholds(), keeps_members=config.label_noise == "drop")
    benchmark = open_benchmark(config.decontaminate, config.overlap, progress)
    judge = Judge(rules_of(config), benchmark, Known(config.signals))
    files.write_folder(
        config.output,
        lambda folder: fill(folder, config, search, judge, tally, progress),
        PREPARED,
        overwrite=config.overwrite,
    )
    return result_of(config, tally)


def check_settings(config: Config) -> None:
    """Refuse settings that contradict each other, before anything is read."""
    check_fractions(config.fractions)
    if not config.sources:
        raise UsageError("no source given; expected at least one file, folder or hub name")
    parse_renames(config.map)
    Mix(config.seed, config.max_per_source)
    check_limits(config)
    for name in config.remove:
        if name not in REMOVABLE:
            raise UsageError(f"remove has {name!r}, which is no check; expected some of {', '.join(REMOVABLE)}")
    if config.max_rows is not None and config.max_rows < 1:
        raise UsageError(f"max_rows is {config.max_rows}; expected at least 1, or nothing for all rows")
    if config.workers is not None and config.workers < 1:
        raise UsageError(f"workers is {config.workers}; expected at least 1, or nothing for one per core")
    if config.test_groups is not None and config.split_by is None:
        raise UsageError(
            "test_groups needs split_by: the field whose values are held out, for example --split-by topic"
        )
    refuse_near_groups(config.split_by, config.test_groups)
    if config.split_by == NEAR_PROMPT and not config.near_threshold:
        raise UsageError(f"--split-by {NEAR_PROMPT} needs a --near-threshold above 0")
    Search(config.near_threshold, config.overlap)
    files.check_output(config.output, PREPARED, overwrite=config.overwrite)
    margins = check_labels(config, config.map)
    output = config.output.resolve()
    for path in [*source_files(config), *margins]:
        if output in path.resolve().parents:
            raise OutputError(
                f"{path} lies in the output folder {config.output}, which is replaced; choose another output"
            )


def source_files(config: Config) -> list[Path]:
    """The files that the sources stand for; built-in data and names on the hub have none here."""
    names = [parse_source(source).name for source in config.sources]
    named = [name for name in names if not (is_builtin(name) or looks_like_hub_name(name))]
    return [path for source in named for path in files_of(source)]


def make_splitter(config: Config, progress: Progress) -> Splitter:
    """The splitter; only held-out groups need a pass over the sources first, to know their names."""
    by = config.split_by
    if config.test_groups is None:
        return Splitter(config.seed, config.fractions, by)
    groups = {group_of(item, by) for item in items(config, progress) if isinstance(item, Record)}
    return Splitter(config.seed, config.fractions, by, hold_out(groups, config.test_groups, fractions=config.fractions))


def rules_of(config: Config) -> Rules:
    """What is done to a row for its own sake."""
    return Rules(limits=config, remove=config.remove, repair=config.repair, keep_duplicates=config.keep_duplicates)


def reading_of(config: Config) -> Reading:
    """How the sources are read."""
    return Reading(parse_renames(config.map), Mix(config.seed, config.max_per_source), config.strict)


def items(config: Config, progress: Progress) -> Iterator[Loadable]:
    """The rows of all sources, up to `max_rows`."""
    with progress.task("reading", config.max_rows, "rows") as task:
        for chunk in reading_of(config).chunks(config.sources, config.max_rows):
            found, _ = read(chunk, strict=config.strict)
            task.advance(len(found))
            yield from found


def fill(folder: Path, config: Config, search: Search, judge: Judge, tally: Tally, progress: Progress) -> None:
    """Write everything into `folder`: look at all rows, compare them with each other, send each to its place."""
    splitter = make_splitter(config, progress)
    across = Across(search, splitter, judge.rules, folder)
    looking = Looking(judge, splitter, near=bool(search.threshold), strict=config.strict)
    with tempfile.TemporaryFile(dir=folder) as spool:
        survey(config, looking, across, spool, tally, progress)
        across.settle()
        write_rows(folder, spool, across, tally, progress)
    look_at_labels(folder, config, config.map, tally, progress)
    content = quality(tally) | across.summary()
    files.write_json(folder / "quality.json", content)
    files.write_text(folder / "quality.html", render_quality(content, lang=current()))
    files.write_json(folder / "prepare.json", provenance(config))


def survey(
    config: Config, looking: Looking, across: Across, spool: IO[bytes], tally: Tally, progress: Progress
) -> None:
    """Look at the rows of all sources, chunk by chunk; their verdicts go into `spool`."""
    chunks = reading_of(config).chunks(config.sources, config.max_rows)
    notes = Notes(tally.note)
    with (
        progress.task("reading", config.max_rows, "rows") as task,
        spread(look, looking, chunks, engine=config.engine, workers=config.workers) as found,
    ):
        for chunk, looked in found:
            notes.say(chunk, looked.late)
            across.extend(looked)
            spool.write(len(looked.verdicts).to_bytes(8, "big") + looked.verdicts)
            tally.rows += looked.rows
            task.advance(looked.rows)


def write_rows(folder: Path, spool: IO[bytes], across: Across, tally: Tally, progress: Progress) -> None:
    """Send every row in `spool` to its place. DataError where nothing is left, or a split comes out empty."""
    spool.seek(0)
    with contextlib.ExitStack() as stack:
        sorting = Sorting(across, tally, Writers(folder, stack))
        task = stack.enter_context(progress.task("writing", tally.rows, "rows"))
        while head := spool.read(8):
            before = sorting.taken
            for verdict in unpacked(spool.read(int.from_bytes(head, "big"))):
                sorting.take(verdict)
            task.advance(sorting.taken - before)
        refuse_nothing(tally)
        if tally.splits:
            across.splitter.refuse_empty(tally.splits)


def refuse_nothing(tally: Tally) -> None:
    """DataError where not one row could be used."""
    if tally.splits or tally.documents:
        return
    if tally.removed.keys() - {NOT_TAKEN}:
        most, count = tally.removed.most_common(1)[0]
        raise DataError(
            f"none of the {tally.rows} rows is left: {count} were removed by {most}; expected some; relax it"
        )
    if tally.first_refusal is None and tally.removed:
        raise DataError(f"none of the {tally.rows} rows was taken; expected larger shares or caps, or another --seed")
    if tally.first_refusal is None:
        raise DataError("the sources hold no rows; expected at least one; check how they were written")
    first = tally.first_refusal
    raise DataError(f"none of the {tally.rows} rows can be used; the first, {first.file}:{first.line}: {first.reason}")


def provenance(config: Config) -> dict[str, Any]:
    """The settings that decide what was written, and the hash of each file that was read."""
    settings = asdict(config)
    # Where it was written to decides nothing, and two runs of the same settings shall give the same bytes.
    for name in ("output", "overwrite", "signals", "workers", "engine"):
        settings.pop(name)
    read = [
        *source_files(config),
        *(path for name in (*config.decontaminate, *config.margins) for path in files_of(name)),
    ]
    hashes = [{"file": str(path), "sha256": files.sha256(path)} for path in read]
    return {"version": VERSION, "settings": settings, "inputs": hashes}


def result_of(config: Config, tally: Tally) -> Result:
    """The counts as a result; what was counted in different places has to add up."""
    records = sum(tally.splits.values())
    quarantined, removed = tally.quarantined.total(), tally.removed.total()
    kept = records + tally.joined + tally.documents
    assert kept + quarantined + removed == tally.rows
    findings: Counter[str] = Counter()
    for (name, _), count in tally.findings.items():
        findings[name] += count
    return Result(
        rows=tally.rows,
        kept=kept,
        quarantined=quarantined,
        removed=removed,
        joined=tally.joined,
        not_taken=tally.removed[NOT_TAKEN],
        records=records,
        splits=ordered_splits(tally),
        output=str(config.output),
        understood=tuple(tally.understood),
        findings=most_first(findings),
        quarantined_by=most_first(tally.quarantined),
        removed_by=most_first(tally.removed),
        repaired=tally.repaired,
        reused=tally.reused,
        filters=tuple(
            {name: one[name] for name in ("check", "meaning", "threshold", "found", "removed")}
            for one in quality(tally)["filters"]
            if one["found"] or one["removed"]
        ),
        shortcuts=tally.shortcuts,
        label_noise=tally.label_noise,
    )


def most_first(counts: Counter[str]) -> dict[str, int]:
    """Counts by name, the largest first."""
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
