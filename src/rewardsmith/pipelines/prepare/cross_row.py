"""What rows say about each other, for `rewardsmith prepare`: found in a pass of its own, reported while rows are written.

Near-duplicates, judgements that go round in a circle or depend on the order, prompts that stand on two sides, and texts
of benchmarks. Memory holds some hundred bytes per row; what is found does not depend on the order of the rows.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rewardsmith.data.loading.load import iterate_rows
from rewardsmith.data.splits.near_prompts import CHECK as NEAR_PROMPT_LEAK
from rewardsmith.data.splits.near_prompts import Leak, NearPrompts, leak_finding
from rewardsmith.data.splits.splitter import NEAR_PROMPT, Splitter
from rewardsmith.errors import DataError, UsageError
from rewardsmith.pipelines.prepare.chunk_worker import ComparedRecords
from rewardsmith.pipelines.prepare.row_checks import RowChecker, RowDecision
from rewardsmith.progress import Progress
from rewardsmith.quality.cross_row import contamination
from rewardsmith.quality.cross_row.agreement import CYCLE, ORDER, Judgements
from rewardsmith.quality.cross_row.contamination import Benchmark, BenchmarkOrigin
from rewardsmith.quality.cross_row.duplicates import CHECK as NEAR_DUPLICATE
from rewardsmith.quality.cross_row.duplicates import OPPOSED, NearDuplicates
from rewardsmith.quality.cross_row.repeats import Repeats
from rewardsmith.quality.cross_row.votes import Votes
from rewardsmith.quality.row import checks
from rewardsmith.quality.row.checks import CONTRADICTION, EXCERPT_CHARS, RowFinding
from rewardsmith.quality.row.fingerprints import Places
from rewardsmith.quality.text.characters import texts_of
from rewardsmith.records import Document, Quarantined, Record, Removed

CROSS_ROW = (CONTRADICTION, NEAR_DUPLICATE, OPPOSED, CYCLE, ORDER)
"""Findings about several rows that `--remove` takes out, after those about a row by itself."""
REMOVABLE = (*checks.REMOVABLE, *CROSS_ROW)
"""Every check whose rows are removed on request."""
LOWEST_THRESHOLD = 0.7

Write = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Search:
    """What to look for: near-duplicates from `threshold` on, 0 for none, and benchmark texts from `overlap` on."""

    threshold: float
    overlap: float

    def __post_init__(self) -> None:
        if self.threshold and not LOWEST_THRESHOLD <= self.threshold <= 1:
            raise UsageError(
                f"near_threshold is {self.threshold:g}; expected {LOWEST_THRESHOLD:g} to 1 (below that, the search "
                "misses too many pairs), or 0 to skip the search for near-duplicates"
            )
        if not 0 < self.overlap <= 1:
            raise UsageError(f"overlap is {self.overlap:g}; expected above 0 and at most 1")

    def thresholds(self) -> dict[str, float]:
        """What each check compares with; those that are not records for are left out."""
        near = dict.fromkeys((NEAR_DUPLICATE, OPPOSED, NEAR_PROMPT_LEAK), self.threshold) if self.threshold else {}
        return {**near, contamination.CHECK: self.overlap}


class FinalDecision(NamedTuple):
    """What becomes of a record: why it is gone, what is said about it, and whether its values are kept."""

    gone: Quarantined | Removed | None
    found: list[RowFinding]
    measured: bool = True
    head: int | None = None
    """The row, counted from 0 among the records, that this one is a vote of."""


class CrossRowChecks:
    """What all rows say about each other. First `extend` with all, then `settle`, then `decide` about each in that order.

    Only rows that stay for their own sake take part, so none of them is removed for the sake of one that goes.
    `folder` is where temporary files lie; default: where the system keeps such.
    """

    def __init__(self, search: Search, splitter: Splitter, checker: RowChecker, folder: Path | None = None) -> None:
        self.search, self.splitter, self.checker, self.rules = search, splitter, checker, checker.rules
        self.places = Places()
        self.repeats = Repeats(self.places)
        self.judgements = Judgements(self.places)
        self.votes = Votes()
        self.near = NearDuplicates(search.threshold, self.places, folder)
        self.prompts = NearPrompts(splitter, search.threshold, self.places, folder)
        self.refused, self.gone = array("b"), array("b")
        self.leaks: dict[int, Leak] = {}
        self.row = -1

    def extend(self, records: ComparedRecords) -> None:
        """Add the records of a chunk."""
        self.places.extend(records.places)
        self.refused.frombytes(records.refused.tobytes())
        self.gone.frombytes(records.gone.tobytes())
        self.repeats.extend(records.fingerprints)
        self.judgements.extend(records.comparisons, len(records.refused))
        self.votes.extend(records.votes)
        if records.near is not None and records.openings is not None:
            self.near.extend(records.near)
            self.prompts.extend(records.openings)

    def settle(self) -> None:
        """Compare all rows; the splitter then knows the clusters, where it splits by them."""
        refused, gone = (np.frombuffer(each, np.int8).astype(np.bool_) for each in (self.refused, self.gone))
        self.repeats.settle(refused, gone)
        staying = ~(refused | gone)
        if not self.rules.keep_duplicates:
            staying &= self.repeats.twins < 0
        comparisons = self.judgements.columns.whole()
        self.votes.settle(staying, comparisons)
        staying &= ~self.votes.joined_rows(len(staying))
        self.judgements.settle(staying, self.votes.majorities(comparisons))
        if self.search.threshold:
            self.near.settle(staying)
            self.prompts.settle(staying)
            if self.splitter.by == NEAR_PROMPT:
                self.splitter = replace(self.splitter, near=self.prompts.clusters())
            else:
                self.leaks = self.prompts.leaks()

    def with_votes(self, decision: RowDecision, record: Record) -> tuple[RowDecision, Record]:
        """The next record, to be decided on, with the votes of the rows that are joined to it, checked anew."""
        joined = self.votes.joined(self.row + 1, record)
        if joined is None:
            return decision, record
        checked = self.checker.measured(joined, decision.repairs)
        return replace(checked, hits=decision.hits), joined

    def decide(self, decision: RowDecision, record: Record, write: Write) -> FinalDecision:
        """What becomes of the next record."""
        self.row += 1
        if decision.refused:
            return FinalDecision(decision.gone, [], measured=False)
        if (head := self.votes.head_of.get(self.row)) is not None:
            return FinalDecision(None, [], measured=False, head=head)
        repeated = self.repeats.duplicate(self.row, record)
        if repeated is not None and not self.rules.keep_duplicates:
            return FinalDecision(repeated, [], measured=False)
        found = [] if repeated is None else [RowFinding(checks.DUPLICATE, "warning", record.place, repeated.reason)]
        found += decision.found
        if decision.gone is not None:
            return FinalDecision(decision.gone, found)
        others = self.findings(record)
        return FinalDecision(self.removal(record, others, self.rules.remove, write), found + others)

    def removal(self, record: Record, found: list[RowFinding], remove: Collection[str], write: Write) -> Removed | None:
        """The removal of a row, if `remove` asks for it; a row with near-duplicates is written to their ledger."""
        if self.search.threshold and (member := self.near.member(self.row)) is not None:
            gone = NEAR_DUPLICATE in remove and not member.kept
            values = {"cluster": member.cluster, "twin": member.twin, "similarity": member.similarity}
            write("near_duplicates", {"file": record.source, "line": record.line, **values, "removed": gone})
            if gone:
                return self.near.removal(self.row, record)
        reasons = [one for one in found if one.check in remove and one.check in CROSS_ROW]
        if not reasons:
            return None
        first = min(reasons, key=lambda one: CROSS_ROW.index(one.check))
        text = record.responses[0].text[:EXCERPT_CHARS]
        return Removed(record.source, record.line, first.check, first.detail, text)

    def findings(self, record: Record) -> list[RowFinding]:
        """What is to be said about a row."""
        found = self.judgements.findings(self.row, record)
        if self.search.threshold:
            found += self.near.findings(self.row, record)
            leak = self.leaks.get(self.prompts.key(self.row)) if self.leaks else None
            found += [leak_finding(leak, record)] if leak else []
        return found

    def summary(self) -> dict[str, Any]:
        """Figures for the quality report."""
        order = self.judgements.order
        share = order.changed / order.pairs if order.pairs else None
        content: dict[str, Any] = {"order": {**asdict(order), "changed_share": share}}
        if self.search.threshold:
            content["near_duplicates"] = self.near.summary()
        return content


def open_benchmark(paths: Iterable[str], overlap: float, progress: Progress) -> Benchmark | None:
    """The texts of benchmark files; None where none is named. DataError where they hold no text to look for."""
    paths = list(paths)
    if not paths:
        return None
    found = Benchmark((text for path in paths for text in texts_in(path)), overlap)
    if not len(found):
        raise DataError(
            f"{', '.join(paths)}: no text of at least {contamination.SHORT_PROMPT} words or Chinese characters; "
            "expected a file of a benchmark"
        )
    skipped = f"; {found.skipped} shorter than {contamination.SHORT_PROMPT} words are ignored" if found.skipped else ""
    progress.note(f"decontamination: {len(found)} distinct texts of benchmarks{skipped}")
    return found


def texts_in(path: str) -> Iterator[tuple[BenchmarkOrigin, str]]:
    """Each text of a file: of its records, of its lines, or of a row in no known format every text there is."""
    for read in iterate_rows(path):
        item = read.item
        if isinstance(item, Record):
            yield from ((BenchmarkOrigin(item.place, name), text) for name, text in texts_of(item))
        elif isinstance(item, Document):
            yield BenchmarkOrigin(f"{item.source}:{item.line}", "text"), item.text
        elif read.row is not None:
            place = f"{item.file}:{item.line}"
            yield from ((BenchmarkOrigin(place, name), text) for name, text in strings(read.row, ""))


def strings(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every text inside a value, with the way that leads to it."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from strings(inner, f"{name}[{at}]")
