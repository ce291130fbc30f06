"""Rows with candidates → rows with preference pairs, window by window."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.critique.given import FIELD as CRITIQUES
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError
from rewardsmith.files import check_output_file, claimed, refuse_inside, write_jsonl
from rewardsmith.pipelines.pairs.choosing import CandidateSet, ChosenPair, choose_pairs, values_named
from rewardsmith.pipelines.pairs.config import Config
from rewardsmith.pipelines.pairs.result import PairCounts, Result
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Comparison, Record

if TYPE_CHECKING:
    from rewardsmith.data.loading.understanding import Read
    from rewardsmith.rewards.source import RewardSource

WINDOW = 1024
"""Rows scored together; bounds memory."""
NAMED = 3
"""Rows named in the text."""
FINISHED = "finish_reasons"
PER_RESPONSE = ("completion_tokens", "logprobs", FINISHED, "rewards", CRITIQUES)
"""Fields with one value per response, which follow the responses that are kept."""


def pair_source(config: Config, progress: Progress = SILENT) -> Result:
    """Choose pairs from every row of a source; the output appears whole or not at all."""
    with claimed(config.output):
        refuse_inside(config.output, [*([config.model] if config.model else []), *input_files([config.source])])
        check_output_file(config.output, overwrite=config.overwrite)
        source = opened(config)
        try:
            counts = PairCounts()
            rows = written_rows(config, source, counts, progress)
            write_jsonl(config.output, refusing_nothing(config, rows, counts))
            sentences = () if source is None else tuple(source.lines())
        finally:
            if source is not None:
                source.close()
    return Result(counts, str(config.output), sentences)


def opened(config: Config) -> "RewardSource | None":
    """What scores the candidates; None where the rows have their rewards."""
    if config.model is None:
        return None
    from rewardsmith.rewards.opening import open_rewards

    return open_rewards(
        config.model, device=config.device, dtype=config.dtype, trust_remote_code=config.trust_remote_code
    )


def refusing_nothing(config: Config, rows: Iterator[dict[str, Any]], counts: PairCounts) -> Iterator[dict[str, Any]]:
    """The rows; DataError where there is none, before anything is written."""
    first = next(rows, None)
    if first is None:
        if counts.rows == 0:
            raise DataError(f"{config.source} contains no rows")
        if counts.unused["no_rewards"] == counts.rows:
            raise DataError(f"{config.source} contains no rewards; score the candidates first, or pass --model")
        reasons = "; ".join(counts.passed_over())
        raise DataError(f"no pair came out of the {counts.rows} rows of {config.source}: {reasons}")
    yield first
    yield from rows


def written_rows(
    config: Config, source: "RewardSource | None", counts: PairCounts, progress: Progress
) -> Iterator[dict[str, Any]]:
    """A row for every prompt with a pair."""
    from rewardsmith.data.formats.native import to_row
    from rewardsmith.data.input.renaming import parse_renames
    from rewardsmith.data.loading.load import iterate_rows

    names = (config.column, *(requirement.name for requirement in config.requirements()))
    reading = iterate_rows(
        config.source,
        strict=config.strict,
        columns=parse_renames(config.map),
        note=progress.note,
        reads=frozenset(key for name in names for key in (name, f"reward_{name}")),
    )
    with progress.task("pairing", None, "rows") as task:
        while window := list(islice(reading, WINDOW)):
            for read, extra in zip(window, scored(source, window, progress), strict=True):
                counts.rows += 1
                if (record := paired(config, read, extra, counts)) is not None:
                    yield to_row(record)
            task.advance(len(window))


def scored(
    source: "RewardSource | None", window: "Sequence[Read]", progress: Progress
) -> list[Mapping[str, Sequence[Any]]]:
    """By row, what the source of rewards gives to the responses in the order of the record; nothing without one."""
    if source is None:
        return [{}] * len(window)
    records = [read.item for read in window if isinstance(read.item, Record)]
    rows = [dict(read.row or {}) for read in window if isinstance(read.item, Record)]
    found = iter(source.score(records, rows=rows, progress=progress))
    return [
        {"rewards": list(one.rewards), **one.parts} if (one := next_for(read, found)) is not None else {}
        for read in window
    ]


def next_for(read: "Read", found: Iterator[Any]) -> Any:
    """The next scored record where the row is one."""
    return next(found) if isinstance(read.item, Record) else None


def paired(config: Config, read: "Read", extra: Mapping[str, Sequence[Any]], counts: PairCounts) -> Record | None:
    """The record with its pairs as comparisons, and the responses that these need; None where it has none."""
    from rewardsmith.records import Quarantined

    record = read.item
    if not isinstance(record, Record):
        counts.unused["unreadable"] += 1
        if isinstance(record, Quarantined) and len(counts.problems) < NAMED:
            counts.problems.append(f"{record.file}:{record.line}: {record.reason}")
        return None
    sources = [extra, *columns_of(read, record)]
    rewards = values_named(config.column, sources, len(record.responses))
    if rewards is None:
        counts.unused["no_rewards"] += 1
        return None
    found = candidates_of(config, record, rewards, sources)
    pairs = choose_pairs(found, config.rule(), counts.unused)
    if not pairs:
        return None
    counts.prompts += 1
    for pair in pairs:
        counts.add(pair.lead, found.lengths[pair.chosen], found.lengths[pair.rejected])
    return with_pairs(record, rewards, pairs)


def columns_of(read: "Read", record: Record) -> list[Mapping[str, Any]]:
    """Where values of the responses may stand: columns of the row (brought into the record's order), fields, ratings."""
    from rewardsmith.data.loading.load import source_order

    order = source_order(record, hashed_order=read.hashed_order)
    row = {}
    for name, values in (read.row or {}).items():
        if isinstance(values, list) and len(values) == len(order):
            row[name] = [values[order.index(index)] for index in range(len(order))]
    return [row, record.fields, record.ratings]


def candidates_of(
    config: Config,
    record: Record,
    rewards: np.ndarray,
    sources: Sequence[Mapping[str, Any]],
) -> CandidateSet:
    """The candidates of a record, with what the requirements and the truncation say of each."""
    count = len(record.responses)
    satisfies = np.ones(count, dtype=bool)
    for requirement in config.requirements():
        values = values_named(requirement.name, sources, count)
        if values is None:
            raise DataError(
                f"{record.place} has no {requirement.name!r} for each of its {count} responses, which --require needs; "
                "score the candidates with a model that gives it"
            )
        satisfies &= requirement.holds(values)
    told = by_response(record, record.fields).get(FINISHED, [""] * count)
    cut = np.array([each == "length" and config.truncated != "keep" for each in told])
    texts = [response.text for response in record.responses]
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    every = np.ones(count, dtype=bool)
    return CandidateSet(rewards, lengths, texts, satisfies, ~cut, every, cut & (config.truncated == "drop"))


def with_pairs(record: Record, rewards: np.ndarray, pairs: Sequence[ChosenPair]) -> Record:
    """The record with these comparisons, without the responses that stand in none, in the order in which they stood."""
    kept = sorted({index for pair in pairs for index in pair[:2]})
    place = {index: number for number, index in enumerate(kept)}
    responses = tuple(record.responses[index] for index in kept)
    comparisons = tuple(compared(place[pair.chosen], place[pair.rejected], pair.lead) for pair in pairs)
    fields = {**record.fields, "rewards": rewards.tolist()}
    fields |= {name: [values[index] for index in kept] for name, values in by_response(record, fields).items()}
    ratings = {name: tuple(values[index] for index in kept) for name, values in record.ratings.items()}
    return Record(record.prompt, responses, comparisons, ratings, fields, record.source, record.line)


def compared(chosen: int, rejected: int, lead: float) -> Comparison:
    """A pair as a comparison; a violation alone has no margin."""
    return Comparison(chosen, rejected, margin=None if np.isnan(lead) else lead)


def by_response(record: Record, fields: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """The fields that have one value per response."""
    found = {name: fields.get(name) for name in PER_RESPONSE}
    count = len(record.responses)
    return {name: each for name, each in found.items() if isinstance(each, list | tuple) and len(each) == count}
