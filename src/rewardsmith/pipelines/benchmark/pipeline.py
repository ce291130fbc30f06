"""Items of a benchmark → their rewards → the benchmark's score, beside the usual figures of an evaluation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.data.benchmarks.item import BenchmarkItem
from rewardsmith.data.benchmarks.reading import Items, read_items
from rewardsmith.errors import DataError
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.pipelines.benchmark.catalogue import sources_of, to_download
from rewardsmith.pipelines.benchmark.result import benchmark_json
from rewardsmith.pipelines.benchmark.reward_store import RewardStore, reward_store, scored_window
from rewardsmith.pipelines.evaluate.by_source import COUNTED, NO_VERDICT
from rewardsmith.pipelines.evaluate.evaluation import Evaluation, Scored, evaluate_records
from rewardsmith.pipelines.evaluate.steps import evaluate_steps, is_process
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.records import Record
from rewardsmith.rewards.source import BAD_GOLD, UNREADABLE, RewardSource
from rewardsmith.scoring.left_out import LeftOut

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import Sequences

WINDOW = 128
"""Items that are scored together: what a killed run loses at most, and enough to fill several forward passes."""


@dataclass(frozen=True)
class ScoredItems:
    """The items that could be scored, their rewards, and what was not used whole; `kept` of them were known before."""

    items: Sequence[BenchmarkItem]
    rewards: Sequence[np.ndarray]
    left_out: LeftOut
    kept: int


def evaluate_benchmark(
    model: "RewardModel",
    name: str,
    sources: tuple[str, ...],
    *,
    trained_on: Sequence[Record] = (),
    strict: bool = False,
    progress: Progress = SILENT,
) -> tuple[Evaluation, int]:
    """(the evaluation, with the benchmark's own score under `benchmark`; how many rows could not be read).

    The usual figures are over the same comparisons, of the overall preference where there are several attributes. Items that
    the model was `trained_on`, or nearly, are counted as for any data: they say nothing of new prompts.
    """
    found, read = read_benchmark(name, sources, strict=strict, progress=progress)
    with reward_store(model, progress.note) as store:
        scored = score_items(model, found.items, store, progress)
    if scored.kept:
        progress.note(f"the rewards of {scored.kept:,} of {len(scored.items):,} items were known from an earlier run")
    described = described_by(name, scored, read)
    data = ", ".join(sources_of(name, sources))
    if is_process(model):
        evaluation = evaluate_steps(model, main_part(scored), split="benchmark", source=data, read=read)
    else:
        evaluation = evaluate_records(
            model,
            main_part(scored),
            split="benchmark",
            source=data,
            trained_on=trained_on,
            read=read,
            progress=progress,
        )
    return replace(evaluation, summary={**evaluation.summary, "benchmark": described}), len(found.quarantined)


def evaluate_benchmark_by(
    source: RewardSource, name: str, sources: tuple[str, ...], *, strict: bool = False, progress: Progress = SILENT
) -> tuple[Evaluation, int]:
    """The same by anything that gives rewards; nothing is known of what it was trained on, and no reward is kept.

    An item of which a response has no reward is left out and counted. DataError where a check has no ground truth to read.
    """
    found, read = read_benchmark(name, sources, strict=strict, progress=progress)
    scored = scored_items_by(source, found.items, progress)
    described = described_by(name, scored, read)
    evaluation = evaluate_records(
        None,
        main_part(scored),
        split="benchmark",
        source=", ".join(sources_of(name, sources)),
        read=read,
        progress=progress,
    )
    counted = {"contract": source.kind, COUNTED[source.kind]: source.counted(), "benchmark": described}
    return replace(evaluation, summary={**evaluation.summary, **counted}), len(found.quarantined)


def read_benchmark(name: str, sources: tuple[str, ...], *, strict: bool, progress: Progress) -> tuple[Items, LeftOut]:
    """The items of a benchmark, and the account of its rows; DataError that says where to get what is missing."""
    try:
        found = read_items(name, sources_of(name, sources), strict=strict, progress=progress)
    except DataError as error:
        raise error if sources else DataError(f"{error}; {to_download(name)}") from error
    read = LeftOut()
    read.read(found.rows, found.quarantined)
    return found, read


def described_by(name: str, scored: ScoredItems, read: LeftOut) -> Mapping[str, Any]:
    """What the benchmark's own rule makes of the rewards; DataError where there are none."""
    if not scored.items:
        raise DataError(f"--benchmark {name}: nothing could be scored: {scored.left_out.in_one_line()}")
    arrays = as_arrays(scored.items, scored.rewards)
    return benchmark_json(name, arrays, lengths_of(scored.items), [read, scored.left_out])


def scored_items_by(source: RewardSource, items: Sequence[BenchmarkItem], progress: Progress = SILENT) -> ScoredItems:
    """Rewards of all items by anything that gives them."""
    left_out, kept, rewards = LeftOut(), list[BenchmarkItem](), list[np.ndarray]()
    rows = [dict(item.record.fields) for item in items]
    found = source.score([item.record for item in items], rows=rows, progress=progress)
    for item, one in zip(items, found, strict=True):
        if one.code == BAD_GOLD:
            raise DataError(f"{item.record.place}: {one.error}" if item.record.source else one.error)
        if one.error or not np.isfinite(one.rewards).all():
            left_out.unused(item.record, one.code or UNREADABLE, one.error or NO_VERDICT)
            continue
        left_out["unused"].of += 1
        kept.append(item)
        rewards.append(one.rewards)
    return ScoredItems(kept, rewards, left_out, 0)


def score_items(
    model: "RewardModel", items: Sequence[BenchmarkItem], store: RewardStore, progress: Progress = SILENT
) -> ScoredItems:
    """Rewards of all items that the scoring contract can render; what the store knows is not computed again."""
    from rewardsmith.model.runtime.allocator import kept_memory

    left_out = LeftOut()
    kept: list[BenchmarkItem] = []
    rewards: list[np.ndarray] = []
    known = 0
    with kept_memory(model.network.device.type), progress.task("scoring", len(items), "items") as task:
        for start in range(0, len(items), WINDOW):
            window = items[start : start + WINDOW]
            ready = list(encoded(model, window, left_out))
            before, values = scored_window(model, [sequences for _, sequences in ready], store)
            known += before
            kept += [item for item, _ in ready]
            rewards += values
            task.advance(len(window))
    return ScoredItems(kept, rewards, left_out, known)


def encoded(
    model: "RewardModel", items: Iterable[BenchmarkItem], left_out: LeftOut
) -> "Iterator[tuple[BenchmarkItem, Sequences]]":
    """The items with their token ids; those that cannot be rendered are counted and left out."""
    from rewardsmith.errors import ContractError
    from rewardsmith.model.scorer import sequences_of

    for item in items:
        try:
            found = model.encode(item.record)
        except ContractError as error:
            left_out.unused(item.record, "not_scorable", str(error))
            continue
        left_out.used(item.record, found)
        yield item, sequences_of(item.record, found)


def as_arrays(items: Sequence[BenchmarkItem], rewards: Sequence[np.ndarray]) -> BenchmarkItems:
    """The items as a scoring rule reads them; prompts are numbered in order of appearance."""
    sizes = [len(values) for values in rewards]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    pairs = [first + decided_pairs(item.record) for first, item in zip(start, items, strict=False)]
    better, worse = np.concatenate(pairs).T
    units: dict[str, int] = {}
    grades = [np.array(item.grades or [np.nan] * size) for item, size in zip(items, sizes, strict=True)]
    return BenchmarkItems(
        reward=np.concatenate(rewards).astype(np.float64),
        item=np.repeat(np.arange(len(items)), sizes),
        grade=np.concatenate(grades).astype(np.float64),
        better=better,
        worse=worse,
        subset=np.array([item.subset for item in items], dtype=str),
        part=np.array([item.part for item in items], dtype=str),
        cluster=np.array([units.setdefault(item.unit or item.record.prompt_id, len(units)) for item in items]),
    )


def decided_pairs(record: Record) -> np.ndarray:
    """(better, worse) of the comparisons that are no ties, shape (P, 2)."""
    pairs = [(c.i, c.j) for c in record.comparisons if not c.is_tie]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def lengths_of(items: Sequence[BenchmarkItem]) -> np.ndarray:
    """The length of every response in words, in the order of `as_arrays`."""
    return np.array([length_in_words(each.text) for item in items for each in item.record.responses], dtype=np.float64)


def main_part(scored: ScoredItems) -> Scored:
    """The items' records with their rewards and their subset as category, one of each where attributes repeat them."""
    first: dict[tuple[str, int, str], int] = {}
    for at, item in enumerate(scored.items):
        place = (item.record.source, item.record.line, item.record.id)
        if place not in first or item.part == "overall":
            first[place] = at
    chosen = sorted(first.values())
    records = [with_category(scored.items[at]) for at in chosen]
    return Scored(records, [scored.rewards[at] for at in chosen], refused=0, left_out=scored.left_out)


def with_category(item: BenchmarkItem) -> Record:
    """The item's record, with its subset where evaluations look for a category."""
    return replace(item.record, fields={**item.record.fields, "category": item.subset})
