"""What rows say about each other, for `rewardsmith prepare`: found in a pass of its own, told while rows are written.

Near-duplicates, judgements that go round in a circle or hang on the order, prompts that stand on two sides, and texts
of benchmarks. Memory holds some hundred bytes per row; what is found does not hang on the order of the rows.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from rewardsmith.data.loading import iterate_rows
from rewardsmith.data.near_prompts import CHECK as NEAR_PROMPT_LEAK
from rewardsmith.data.near_prompts import Leak, NearPrompts, leak_finding
from rewardsmith.data.splitting import NEAR_PROMPT, Splitter
from rewardsmith.errors import DataError, UsageError
from rewardsmith.progress import Progress
from rewardsmith.quality import checks, contamination
from rewardsmith.quality.agreement import CYCLE, ORDER, Judgements
from rewardsmith.quality.checks import CONTRADICTION, EXCERPT_CHARS, Finding
from rewardsmith.quality.contamination import Benchmark, Origin
from rewardsmith.quality.duplicates import CHECK as NEAR_DUPLICATE
from rewardsmith.quality.duplicates import OPPOSED, NearDuplicates
from rewardsmith.quality.text import texts_of
from rewardsmith.records import Document, Record, Removed

FOUND_ACROSS = (CONTRADICTION, NEAR_DUPLICATE, OPPOSED, CYCLE, ORDER)
"""Findings about several rows that `--remove` takes out, after those about a row by itself."""
REMOVABLE = (*checks.REMOVABLE, *FOUND_ACROSS)
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
                f"near_threshold is {self.threshold:g}; expected {LOWEST_THRESHOLD:g} to 1 (below, the search would miss "
                "too many pairs), or 0 not to look for near-duplicates"
            )
        if not 0 < self.overlap <= 1:
            raise UsageError(f"overlap is {self.overlap:g}; expected above 0 and at most 1")

    def thresholds(self) -> dict[str, float]:
        """What each check compares with; those that are not looked for are left out."""
        near = dict.fromkeys((NEAR_DUPLICATE, OPPOSED, NEAR_PROMPT_LEAK), self.threshold) if self.threshold else {}
        return {**near, contamination.CHECK: self.overlap}


@dataclass
class Across:
    """The rows seen together. First `add` each, then `settle`, then `look` at each in the same order.

    Only rows that stay for their own sake are added, so none of them is removed for the sake of one that goes.
    """

    search: Search
    splitter: Splitter
    near: NearDuplicates = field(init=False)
    prompts: NearPrompts = field(init=False)
    judgements: Judgements = field(default_factory=Judgements)
    leaks: dict[int, Leak] = field(default_factory=dict)
    row: int = -1

    def __post_init__(self) -> None:
        self.near = NearDuplicates(self.search.threshold)
        self.prompts = NearPrompts(self.splitter, self.search.threshold)

    def add(self, record: Record) -> None:
        """Add a row."""
        self.judgements.add(record)
        if self.search.threshold:
            self.near.add(record)
            self.prompts.add(record)

    def settle(self) -> Splitter:
        """Look at all rows together; returns the splitter, which knows the clusters where it splits by them."""
        self.judgements.settle(np.ones(len(self.judgements.places), np.bool_))
        if self.search.threshold:
            self.near.settle()
            self.prompts.settle()
            if self.splitter.by == NEAR_PROMPT:
                self.splitter = replace(self.splitter, near=self.prompts.clusters())
            else:
                self.leaks = self.prompts.leaks()
        return self.splitter

    def look(self, record: Record, remove: Collection[str], write: Write) -> tuple[Removed | None, list[Finding]]:
        """(the removal of the next row, if `remove` asks for it, what is to be said about it)."""
        self.row += 1
        if not self.judgements.places.matches(self.row, record):
            raise DataError(f"{record.place} was not there when the rows were first read; the sources change meanwhile")
        found = self.findings(record)
        return self.removal(record, found, remove, write), found

    def removal(self, record: Record, found: list[Finding], remove: Collection[str], write: Write) -> Removed | None:
        """The removal of a row, if `remove` asks for it; a row with near-duplicates is written to their ledger."""
        if self.search.threshold and (fate := self.near.fate(self.row)) is not None:
            gone = NEAR_DUPLICATE in remove and not fate.kept
            told = {"cluster": fate.cluster, "twin": fate.twin, "similarity": fate.similarity}
            write("near_duplicates", {"file": record.source, "line": record.line, **told, "removed": gone})
            if gone:
                return self.near.removal(self.row, record)
        reasons = [one for one in found if one.check in remove and one.check in FOUND_ACROSS]
        if not reasons:
            return None
        first = min(reasons, key=lambda one: FOUND_ACROSS.index(one.check))
        text = record.responses[0].text[:EXCERPT_CHARS]
        return Removed(record.source, record.line, first.check, first.detail, text)

    def findings(self, record: Record) -> list[Finding]:
        """What is to be said about a row."""
        found = self.judgements.findings(self.row, record)
        if self.search.threshold:
            found += self.near.findings(self.row, record)
            leak = self.leaks.get(self.prompts.key(record)) if self.leaks else None
            found += [leak_finding(leak, record)] if leak else []
        return found

    def summary(self) -> dict[str, Any]:
        """Figures for the quality report."""
        order = self.judgements.order
        share = order.changed / order.pairs if order.pairs else None
        return {"order": {**asdict(order), "changed_share": share}}


def open_benchmark(paths: Iterable[str], overlap: float, progress: Progress) -> Benchmark | None:
    """The texts of benchmark files; None where none is named. DataError where they hold no text to look for."""
    paths = list(paths)
    if not paths:
        return None
    found = Benchmark((text for path in paths for text in texts_in(path)), overlap)
    if not len(found):
        raise DataError(
            f"{', '.join(paths)}: no text of at least {contamination.SHORT_PROMPT} words or Chinese characters to look for; "
            "expected a benchmark's file"
        )
    skipped = (
        f"; {found.skipped} shorter than {contamination.SHORT_PROMPT} words were left out" if found.skipped else ""
    )
    progress.note(f"decontamination: {len(found)} different texts of benchmarks{skipped}")
    return found


def texts_in(path: str) -> Iterator[tuple[Origin, str]]:
    """Each text of a file: of its records, of its lines, or of a row in no known format every text there is."""
    for read in iterate_rows(path):
        item = read.item
        if isinstance(item, Record):
            yield from ((Origin(item.place, name), text) for name, text in texts_of(item))
        elif isinstance(item, Document):
            yield Origin(f"{item.source}:{item.line}", "text"), item.text
        elif read.row is not None:
            place = f"{item.file}:{item.line}"
            yield from ((Origin(place, name), text) for name, text in strings(read.row, ""))


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
