"""The steps of `judge`: read, ask, compare with labels, write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.splits.sources import Intake, follow_attribute, input_files, read_records
from rewardsmith.errors import DataError, UsageError
from rewardsmith.files import check_output_file, claimed, refuse_inside, write_jsonl
from rewardsmith.judge.definition import JudgeDefinition, read_judge
from rewardsmith.judge.judge import Judge, open_judge
from rewardsmith.judge.verdicts import RecordVerdict
from rewardsmith.pipelines.judge.agreement import JudgedRecord, accuracy_of, consistency_of
from rewardsmith.pipelines.judge.config import Config
from rewardsmith.pipelines.judge.examples import example_lines
from rewardsmith.pipelines.judge.result import Result
from rewardsmith.pipelines.judge.rows import answered_row, labelled
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.opening import kind_of

NAMED = 3
"""Rows named in the text."""


@dataclass
class Run:
    """One run: the judged records, those that could not be shown, and what was written."""

    judged: list[JudgedRecord] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pairs: int = 0
    ties: int = 0
    unlabelled: int = 0


def judge_source(config: Config, progress: Progress = SILENT) -> Result:
    """Judge the records of a source; the output appears whole or not at all, and every answer is kept."""
    if config.output is None:
        return judged_source(config, progress)
    with claimed(config.output):
        refuse_inside(config.output, [config.judge, *input_files(config.sources)])
        check_output_file(config.output, overwrite=config.overwrite)
        return judged_source(config, progress)


def judged_source(config: Config, progress: Progress) -> Result:
    """The work of `judge`; its output is claimed."""
    definition = read_judge(judge_file(config.judge))
    loaded = read_records(config.sources, Intake(config.strict, config.map), progress=progress)
    records = chosen(follow_attribute(loaded.records, config.attribute), config.max_records)
    if not records:
        raise DataError(f"{', '.join(config.sources)} contains nothing to judge")
    judge = open_judge(
        definition,
        device=config.device,
        dtype=config.dtype,
        trust_remote_code=config.trust_remote_code,
        cache=config.cache,
    )
    run = Run()
    if judge.note:
        progress.note(judge.note)
    try:
        rows = judged_rows(config, judge, records, run, progress)
        if config.output is None:
            for _ in rows:
                pass
        else:
            write_jsonl(config.output, rows)
    finally:
        judge.close()
    return result_of(config, judge, run, [f"{row.file}:{row.line}: {row.reason}" for row in loaded.quarantined])


def judge_file(name: str) -> Path:
    """The path of a judge file; UsageError for anything else."""
    if not Path(name).is_file():
        raise UsageError(f"{name} does not exist; expected a judge file (YAML, kind: pointwise, pairwise or listwise)")
    if kind_of(name) != "judge":
        raise UsageError(f"{name} is not a judge file; expected YAML with kind: pointwise, pairwise or listwise")
    return Path(name)


def chosen(records: Sequence[Record], most: int | None) -> list[Record]:
    """At most so many records, those with the smallest ids, in the order of the source: a sample that no order decides."""
    if most is None or len(records) <= most:
        return list(records)
    kept = set(sorted(range(len(records)), key=lambda at: (records[at].id, at))[:most])
    return [record for at, record in enumerate(records) if at in kept]


def judged_rows(
    config: Config, judge: Judge, records: Sequence[Record], run: Run, progress: Progress
) -> Iterator[dict[str, Any]]:
    """The rows of the output, one by one, while records are judged."""
    for record, found in zip(records, judge.verdicts(records, progress), strict=True):
        if isinstance(found, str):
            if config.strict:
                raise DataError(f"{record.place}: {found}")
            run.refused.append(f"{record.place}: {found}")
            continue
        run.judged.append((record, found))
        if not config.label:
            yield answered_row(judge.definition, record, found)
            continue
        yield from labelled_rows(config, judge.definition, record, found, run)


def labelled_rows(
    config: Config, definition: JudgeDefinition, record: Record, found: RecordVerdict, run: Run
) -> Iterator[dict[str, Any]]:
    """The record as preference data, nothing where no pair could be told."""
    made = labelled(record, found, definition.calibration, tie=config.tie)
    if made is None:
        run.unlabelled += 1
        return
    ties = sum(c.is_tie for c in made.comparisons)
    run.ties += ties
    run.pairs += len(made.comparisons) - ties
    yield to_row(made)


def result_of(config: Config, judge: Judge, run: Run, unread: Sequence[str]) -> Result:
    """What the run came to."""
    definition, problems = judge.definition, [*run.refused, *unread]
    endpoint = definition.endpoint
    prices = (None, None) if endpoint is None else (endpoint.price_in, endpoint.price_out)
    more = len(problems) - NAMED
    return Result(
        judge=definition.name,
        kind=definition.kind,
        reading=definition.reading,
        records=len(run.judged),
        refused=len(run.refused),
        quarantined=len(unread),
        counts=judge.counts,
        accuracy=accuracy_of(run.judged),
        consistency=consistency_of(run.judged),
        cost=judge.counts.cost(*prices),
        output=None if config.output is None else str(config.output),
        pairs=run.pairs if config.label else None,
        ties=run.ties if config.label else None,
        unlabelled=run.unlabelled if config.label else None,
        problems=[*problems[:NAMED], *([f"and {more} more rows"] if more > 0 else [])],
        examples=example_lines(definition, run.judged[: config.show]),
    )
