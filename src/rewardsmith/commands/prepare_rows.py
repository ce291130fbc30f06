"""Where `rewardsmith prepare` sends each row, and what it counts on the way."""

import contextlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith.commands.prepare_across import Across
from rewardsmith.data.loading import Loadable
from rewardsmith.data.native import to_row
from rewardsmith.data.splitting import Split, Splitter
from rewardsmith.quality.checks import Finding, Seen, check, check_document, longer_preferred
from rewardsmith.records import Joined, Quarantined, Record, Removed

EXAMPLES = 5


@dataclass
class Tally:
    """Counts that grow while rows pass."""

    rows: int = 0
    documents: int = 0
    joined: int = 0
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


class Sorting:
    """Sends each row to its place: a split, the quarantine, or the removed ones."""

    def __init__(self, splitter: Splitter, tally: Tally, writers: Writers, across: Across) -> None:
        self.splitter, self.tally, self.writers, self.across = splitter, tally, writers, across
        self.seen = Seen()
        self.last_removed: Removed | None = None  # why the record is gone to which the next rows are joined
        for name in ("quarantine", "removed"):
            writers.start(name)

    def take(self, item: Loadable) -> None:
        """Count and write one row."""
        if isinstance(item, Record):
            self.last_removed = self.keep(item)
        elif isinstance(item, Joined):
            self.join(item)
        elif isinstance(item, Removed):
            self.remove(item)
        elif isinstance(item, Quarantined):
            self.tally.first_refusal = self.tally.first_refusal or item
            self.tally.quarantined[item.code] += 1
            self.writers.write("quarantine", asdict(item))
        else:
            self.tally.documents += 1
            note_findings(self.tally, check_document(item))

    def keep(self, record: Record) -> Removed | None:
        """Send a record to its split, or to the removed ones, which is returned."""
        tally = self.tally
        removed, repeated = self.removal(record)
        if removed is not None:
            self.remove(removed)
            return removed
        if repeated is not None:
            tally.find(Finding("duplicate", "warning", record.place, repeated.reason))
        note_findings(tally, [*check(record), *self.seen.contradictions(record), *self.across.findings(record)])
        tally.measure(record)
        side = self.splitter.side(record)
        tally.splits[side] = tally.splits.get(side, 0) + 1
        self.writers.write(side, to_row(record))
        return None

    def removal(self, record: Record) -> tuple[Removed | None, Removed | None]:
        """(why a record goes, or None; what it repeats exactly, where such rows stay)."""
        write = self.writers.write
        if (contaminated := self.across.begin(record, write)) is not None:
            return contaminated, None
        repeated = self.seen.duplicate(record)
        if repeated is not None and not self.across.rules.keep_duplicates:
            return repeated, None
        return self.across.removal(record, write), repeated

    def join(self, row: Joined) -> None:
        """Count a row that is part of the record before it, and shares its fate."""
        if self.last_removed is None:
            self.tally.joined += 1
            return
        reason = f"part of the record at {row.into}: {self.last_removed.reason}"
        self.remove(Removed(row.source, row.line, self.last_removed.check, reason, "", self.last_removed.twin))

    def remove(self, removed: Removed) -> None:
        """Count and name a row that was taken out."""
        self.tally.removed[removed.check] += 1
        self.writers.write("removed", asdict(removed))


def note_findings(tally: Tally, found: list[Finding]) -> None:
    """Count several findings."""
    for finding in found:
        tally.find(finding)
