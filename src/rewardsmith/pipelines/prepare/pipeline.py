"""Any format in, clean train, validation and test splits out, every dropped row named: the steps of `prepare`, in order.

Chunks of rows are checked, in several processes where there are many; what they say about each other is found from
hashes; then each row is sent to its place. Memory holds hashes of rows, never the rows, which wait in a temporary file;
only with `--label-noise` the records of the splits are held until their labels were judged. The same sources and settings
give the same bytes, whatever the number of processes.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Any

from rewardsmith import files
from rewardsmith.data.input.hub import looks_like_hub_name
from rewardsmith.data.input.readers import files_of
from rewardsmith.data.input.rows import by_reason, none_usable
from rewardsmith.data.loading.chunks import ChunkReader, Notes, read
from rewardsmith.data.loading.load import Loadable, reading
from rewardsmith.data.loading.mixing import CHECK as NOT_TAKEN
from rewardsmith.data.loading.mixing import Mix, parse_source
from rewardsmith.data.splits.splitter import (
    NEAR_PROMPT,
    Split,
    Splitter,
    check_fractions,
    group_of,
    hold_out,
    refuse_near_groups,
)
from rewardsmith.data.synthetic.builtin import is_builtin
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.files.kinds import PREPARED
from rewardsmith.language import current
from rewardsmith.parallel.backends import spread
from rewardsmith.pipelines.prepare.chunk_worker import ChunkSettings, check_chunk, unpacked
from rewardsmith.pipelines.prepare.config import Config
from rewardsmith.pipelines.prepare.cross_row import REMOVABLE, CrossRowChecks, Search, open_benchmark
from rewardsmith.pipelines.prepare.label_changes import changes_of, decision_lines, noise_section, suspect_findings
from rewardsmith.pipelines.prepare.label_model import check_label_model, model_margins
from rewardsmith.pipelines.prepare.label_noise import TRAIN, judge_labels
from rewardsmith.pipelines.prepare.result import Result, result_of
from rewardsmith.pipelines.prepare.reward_margins import check_label_settings, read_rewards
from rewardsmith.pipelines.prepare.row_checks import RowChecker, RowDecision, Rules
from rewardsmith.pipelines.prepare.row_router import RowRouter, Writers
from rewardsmith.pipelines.prepare.statistics import Tally, quality
from rewardsmith.progress import Progress
from rewardsmith.quality.row.limits import check_limits
from rewardsmith.quality.row.signals import SignalCache
from rewardsmith.quality.shortcuts.measure import measure_shortcuts
from rewardsmith.records import Record
from rewardsmith.report.quality.page import render_quality
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.values import nearest
from rewardsmith.version import VERSION


def prepare(config: Config, progress: Progress) -> Result:
    """Read, check, split and write. DataError where no row can be used or a split comes out empty."""
    with files.claimed(config.output, PREPARED):
        check_settings(config)
        search = Search(config.near_threshold, config.overlap)
        tally = Tally(limits=config.limits, thresholds=search.thresholds())
        benchmark = open_benchmark(config.decontaminate, config.overlap, progress)
        checker = RowChecker(rules_of(config), benchmark, SignalCache(config.signals))
        files.write_folder(
            config.output,
            lambda folder: fill(folder, config, search, checker, tally, progress),
            PREPARED,
            overwrite=config.overwrite,
        )
        return result_of(str(config.output), tally)


def check_settings(config: Config) -> None:
    """Refuse settings that contradict each other, before anything is read."""
    check_fractions(config.fractions)
    if not config.sources:
        raise UsageError("no source given; expected at least one file, folder or hub name")
    columns = config.columns
    Mix(config.seed, config.max_per_source)
    check_limits(config.limits)
    for name in config.remove:
        if name not in REMOVABLE:
            hint = nearest(name, REMOVABLE)
            raise UsageError(f"--remove {name}: no such check.{hint} Expected one of {', '.join(REMOVABLE)}")
    if config.max_rows is not None and config.max_rows < 1:
        raise UsageError(f"max_rows is {config.max_rows}; expected at least 1, or no value for all rows")
    if config.workers is not None and config.workers < 1:
        raise UsageError(f"workers is {config.workers}; expected at least 1, or no value for one per core")
    check_split_settings(config)
    Search(config.near_threshold, config.overlap)
    files.check_output(config.output, PREPARED, overwrite=config.overwrite)
    margins = check_label_settings(config, columns)
    check_label_model(config.label_model)
    refuse_input_in_output(config.output, [*source_files(config), *margins])


def check_split_settings(config: Config) -> None:
    """Refuse ways to split that contradict each other."""
    if config.test_groups is not None and config.split_by is None:
        raise UsageError(f"--test-groups {config.test_groups} needs --split-by, the field whose values are held out")
    refuse_near_groups(config.split_by, config.test_groups)
    if config.split_by == NEAR_PROMPT and not config.near_threshold:
        raise UsageError(f"--split-by {NEAR_PROMPT} needs a --near-threshold above 0")


def refuse_input_in_output(output: Path, inputs: Iterable[Path]) -> None:
    """OutputError for an input that would be deleted before it is read."""
    for path in inputs:
        if output.resolve() in path.resolve().parents:
            raise OutputError(
                f"{path} is inside the output folder {output}, which would be replaced; choose another output"
            )


def source_files(config: Config) -> list[Path]:
    """The files that the sources stand for; built-in data and names on the hub have none here."""
    names = [parse_source(source).name for source in config.sources]
    named = [n for n in names if not (isinstance(n, InMemory) or is_builtin(n) or looks_like_hub_name(n))]
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
    return Rules(
        limits=config.limits, remove=config.remove, repair=config.repair, keep_duplicates=config.keep_duplicates
    )


def reader_of(config: Config) -> ChunkReader:
    """How the sources are read."""
    return ChunkReader(config.columns, Mix(config.seed, config.max_per_source), config.strict)


def items(config: Config, progress: Progress) -> Iterator[Loadable]:
    """The rows of all sources, up to `max_rows`."""
    with progress.task(reading(config.sources), config.max_rows, "rows") as task:
        for chunk in reader_of(config).chunks(config.sources, config.max_rows):
            found, _ = read(chunk, strict=config.strict)
            task.advance(len(found))
            yield from found


def fill(folder: Path, config: Config, search: Search, checker: RowChecker, tally: Tally, progress: Progress) -> None:
    """Write everything into `folder`: check all rows, compare them with each other, send each to its place."""
    splitter = make_splitter(config, progress)
    cross_row = CrossRowChecks(search, splitter, checker, folder)
    settings = ChunkSettings(checker, splitter, near=bool(search.threshold), strict=config.strict)
    with tempfile.TemporaryFile(dir=folder) as spool, Writers(folder) as writers:
        check_rows(config, settings, cross_row, spool, tally, progress)
        cross_row.settle()
        router = RowRouter(cross_row, tally, writers, holds=config.label_noise != "off")
        route_rows(spool, router, tally, progress)
        settle_labels(config, router, tally, progress)
    content = quality(tally) | cross_row.summary()
    files.write_json(folder / "quality.json", content)
    files.write_text(folder / "quality.html", render_quality(content, lang=current()))
    files.write_json(folder / "prepare.json", provenance(config))


def check_rows(
    config: Config,
    settings: ChunkSettings,
    cross_row: CrossRowChecks,
    spool: IO[bytes],
    tally: Tally,
    progress: Progress,
) -> None:
    """Check the rows of all sources, chunk by chunk; what is decided about them goes into `spool`."""
    chunks = reader_of(config).chunks(config.sources, config.max_rows)
    notes = Notes(tally.note)
    with (
        progress.task(reading(config.sources), config.max_rows, "rows") as task,
        spread(check_chunk, settings, chunks, engine=config.engine, workers=config.workers) as results,
    ):
        for chunk, result in results:
            notes.say(chunk, result.late)
            cross_row.extend(result.compared)
            spool.write(len(result.decisions).to_bytes(8, "big") + result.decisions)
            tally.rows += result.rows
            task.advance(result.rows)


def chunks_in(spool: IO[bytes]) -> Iterator[list[RowDecision]]:
    """What was decided about the rows of each chunk, from the start."""
    spool.seek(0)
    while size := spool.read(8):
        yield list(unpacked(spool.read(int.from_bytes(size, "big"))))


def route_rows(spool: IO[bytes], router: RowRouter, tally: Tally, progress: Progress) -> None:
    """Send every row in `spool` to its place. DataError where nothing is left, or a split comes out empty.

    With the default fractions an empty validation or test split of few rows is noted: such data is prepared to be looked
    at, or to be evaluated on.
    """
    with progress.task("writing the splits", tally.rows, "rows") as task:
        for decisions in chunks_in(spool):
            for decision in decisions:
                router.route(decision)
            task.advance(len(decisions))
    refuse_nothing(router.sizes, tally)
    if router.sizes:
        refuse_empty(router.cross_row, router.sizes, progress)


def refuse_empty(cross_row: CrossRowChecks, sizes: Mapping[Split, int], progress: Progress) -> None:
    """DataError for an empty split; with the default fractions only for train, and a note for the others.

    Few rows are prepared to be looked at or evaluated on, and need no split.
    """
    splitter = cross_row.splitter
    reason = splitter.why_empty(sizes, lambda: cross_row.prompts.distinct if splitter.by is None else 0)
    if reason is None:
        return
    message = f"{reason}; add data, choose larger --fractions or another --seed, or 0 for a split you do not need"
    if splitter.fractions != Splitter.fractions or splitter.by is not None or not sizes.get("train"):
        raise DataError(message)
    progress.note(message)


def settle_labels(config: Config, router: RowRouter, tally: Tally, progress: Progress) -> None:
    """Measure shortcuts of the labels as they came; judge those of held records, and write these as `label_noise` says."""
    tally.shortcuts = measure_shortcuts(tally.sample).to_json()
    mode = config.label_noise
    if mode == "off":
        return
    rewards = {path: read_rewards(path, progress, columns=config.columns) for path in config.margins}
    records = {side: [held.record for held in rows] for side, rows in router.held.items()}
    # Rewards that somebody gave are of a trained model; another one is then taken only where it is named.
    model = "off" if config.label_model == "auto" and config.margins else config.label_model
    judgement = judge_labels(records, rewards, partial(model_margins, model, progress=progress))
    router.writers.write_all("label_noise", decision_lines(judgement, mode))
    for finding in suspect_findings(judgement):
        tally.find(finding)
    changes = changes_of(records[TRAIN], judgement, mode)
    removed = sum(router.release(side, changes.records if side == TRAIN else {}) for side in records)
    tally.label_noise = noise_section(judgement, mode, changed=changes.labels, removed=removed)


def refuse_nothing(sizes: Mapping[Split, int], tally: Tally) -> None:
    """DataError where not one row could be used."""
    if sizes or tally.documents:
        return
    if tally.removed.keys() - {NOT_TAKEN}:
        why = by_reason(tally.removed + tally.quarantined)
        raise DataError(f"no rows are left of {tally.rows}: {why}; relax the checks that removed them")
    if tally.first_refusal is None and tally.removed:
        raise DataError(f"none of the {tally.rows} rows was sampled; use a larger share or cap, or another --seed")
    if tally.first_refusal is None:
        raise DataError("the sources contain no rows; expected at least one; check the program that wrote them")
    raise DataError(none_usable(tally.rows, tally.quarantined, tally.first_refusal))


def provenance(config: Config) -> dict[str, Any]:
    """The settings that decide what was written, and the hash of each file, or data in memory, that was read."""
    settings = asdict(config)
    # Where it was written to decides nothing, and two runs of the same settings shall give the same bytes.
    for name in ("output", "overwrite", "signals", "workers", "engine", "dry_run"):
        settings.pop(name)
    read = [
        *source_files(config),
        *(path for name in (*config.decontaminate, *config.margins) for path in files_of(name)),
    ]
    hashes = [{"file": str(path), "sha256": files.sha256(path)} for path in read]
    hashes += [{"file": str(each), "sha256": each.sha256} for each in config.sources if isinstance(each, InMemory)]
    return {"version": VERSION, "settings": settings, "inputs": hashes}
