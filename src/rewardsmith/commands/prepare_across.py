"""What rows say about each other, for `rewardsmith prepare`: found in a pass of its own, told while rows are written.

Near-duplicates, judgements that go round in a circle or hang on the order, prompts that stand on two sides, and texts
of benchmarks. Memory holds some hundred bytes per row; what is found does not hang on the order of the rows.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from rewardsmith.data.loading import iterate_rows
from rewardsmith.data.near_prompts import NearPrompts, leak_finding
from rewardsmith.data.splitting import NEAR_PROMPT, Splitter
from rewardsmith.errors import DataError, UsageError
from rewardsmith.progress import Progress
from rewardsmith.quality import contamination
from rewardsmith.quality.agreement import CYCLE, ORDER, Judgements
from rewardsmith.quality.checks import EXCERPT_CHARS, Finding, texts_of
from rewardsmith.quality.contamination import Benchmark, Hit, Origin
from rewardsmith.quality.duplicates import CHECK as NEAR_DUPLICATE
from rewardsmith.quality.duplicates import OPPOSED, NearDuplicates, row_key
from rewardsmith.records import Document, Record, Removed

REMOVABLE = (NEAR_DUPLICATE, OPPOSED, CYCLE, ORDER)
"""Findings about several rows that `--remove` takes out."""
LOWEST_THRESHOLD = 0.7

Write = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Rules:
    """What to look for: `threshold` 0 leaves near-duplicates out; `remove` names checks of REMOVABLE."""

    threshold: float
    remove: frozenset[str]
    overlap: float
    keep_duplicates: bool

    def __post_init__(self) -> None:
        if self.threshold and not LOWEST_THRESHOLD <= self.threshold <= 1:
            raise UsageError(
                f"near_threshold is {self.threshold:g}; expected {LOWEST_THRESHOLD:g} to 1 (below, the search would miss "
                "too many pairs), or 0 not to look for near-duplicates"
            )
        if not 0 < self.overlap <= 1:
            raise UsageError(f"overlap is {self.overlap:g}; expected above 0 and at most 1")
        if unknown := sorted(self.remove - set(REMOVABLE)):
            raise UsageError(f"--remove {unknown[0]}: no such check; expected one of {', '.join(REMOVABLE)}")


@dataclass
class Across:
    """The rows seen together. First `add` each, then `settle`, then ask `removal` and `findings` in the same order."""

    rules: Rules
    splitter: Splitter
    benchmark: Benchmark | None
    near: NearDuplicates = field(init=False)
    prompts: NearPrompts = field(init=False)
    judgements: Judgements = field(default_factory=Judgements)
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    row: int = -1

    def __post_init__(self) -> None:
        self.near = NearDuplicates(self.rules.threshold)
        self.prompts = NearPrompts(self.splitter, self.rules.threshold)

    def add(self, record: Record) -> None:
        """Add a row, unless it will be removed for what it holds itself."""
        if self.contaminated(record):
            return
        self.keys.append(row_key(record))
        self.judgements.add(record)
        if self.rules.threshold:
            self.near.add(record)
            self.prompts.add(record)

    def settle(self) -> Splitter:
        """Look at all rows together; returns the splitter, which knows the clusters where it splits by them."""
        first = np.ones(len(self.keys), np.bool_)
        if not self.rules.keep_duplicates:
            first[:] = False
            first[np.unique(np.frombuffer(self.keys, np.uint64), return_index=True)[1]] = True
        self.judgements.settle(first)
        self.leaks = {}
        if self.rules.threshold:
            self.near.settle()
            self.prompts.settle()
            if self.splitter.by == NEAR_PROMPT:
                self.splitter = replace(self.splitter, near=self.prompts.clusters())
            else:
                self.leaks = self.prompts.leaks()
        return self.splitter

    def contaminated(self, record: Record) -> list[Hit]:
        """The benchmark texts that a row holds."""
        return [] if self.benchmark is None else list(self.benchmark.hits(record))

    def begin(self, record: Record, write: Write) -> Removed | None:
        """Go on to the next row; its removal where it holds a benchmark's text, each hit written to a ledger."""
        hits = self.contaminated(record)
        for hit in hits:
            told = {"file": record.source, "line": record.line, "part": hit.part}
            told |= {"benchmark": hit.origin.place, "benchmark_part": hit.origin.part, "also": list(hit.also)}
            told |= {"overlap": hit.overlap, "found": hit.found, "runs": hit.runs, "shared": hit.shared}
            write(contamination.CHECK, told)
        if hits:
            return contamination.removal(hits, record, self.rules.overlap)
        self.row += 1
        if not self.judgements.places.matches(self.row, record):
            raise DataError(f"{record.place} was not there when the rows were first read; the sources change meanwhile")
        return None

    def removal(self, record: Record, write: Write) -> Removed | None:
        """The removal of the row that was begun last, if `--remove` asks for it."""
        if self.rules.threshold and (fate := self.near.fate(self.row)) is not None:
            gone = NEAR_DUPLICATE in self.rules.remove and not fate.kept
            told = {"cluster": fate.cluster, "twin": fate.twin, "similarity": fate.similarity}
            write("near_duplicates", {"file": record.source, "line": record.line, **told, "removed": gone})
            if gone:
                return self.near.removal(self.row, record)
        for finding in self.findings(record):
            if finding.check in self.rules.remove and finding.check != NEAR_DUPLICATE:
                text = record.responses[0].text[:EXCERPT_CHARS]
                return Removed(record.source, record.line, finding.check, finding.detail, text)
        return None

    def findings(self, record: Record) -> list[Finding]:
        """What is to be said about the row that was begun last."""
        found = self.judgements.findings(self.row, record)
        if self.rules.threshold:
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
            f"{', '.join(paths)}: no text of at least {contamination.SHORTEST} words or Chinese characters to look for; "
            "expected a benchmark's file"
        )
    skipped = f"; {found.skipped} shorter than {contamination.SHORTEST} words were left out" if found.skipped else ""
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
