"""Where `rewardsmith prepare` sends each row: a split, the quarantine, or the removed ones."""

import contextlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith.commands.prepare_tally import Tally
from rewardsmith.data.loading import Loadable
from rewardsmith.data.native import to_row
from rewardsmith.data.splitting import Splitter
from rewardsmith.quality.checks import EXCERPT_CHARS, REMOVABLE, Finding, Seen, check_document
from rewardsmith.quality.limits import Limits
from rewardsmith.quality.repair import loss_in, loss_of, repair
from rewardsmith.quality.signals import Known, line_of
from rewardsmith.records import Document, Joined, Quarantined, Record, Removed

LOST_TEXT = "lost_text"
IDENTICAL = "identical_responses"


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


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is done to rows: the thresholds, the checks whose rows are removed, and whether text is repaired."""

    limits: Limits
    remove: Collection[str] = ()
    repair: bool = False
    keep_duplicates: bool = False


class Sorting:
    """Sends each row to its place, and tells the tally."""

    def __init__(self, splitter: Splitter, tally: Tally, writers: Writers, *, rules: Rules, known: Known) -> None:
        self.splitter, self.tally, self.writers, self.rules, self.known = splitter, tally, writers, rules, known
        self.seen = Seen()
        self.last_gone: Removed | Quarantined | None = (
            None  # the record to which the next rows are joined, if it is gone
        )
        for name in ("quarantine", "removed", "signals"):
            writers.start(name)

    def take(self, item: Loadable) -> None:
        """Count and write one row."""
        if isinstance(item, Record):
            self.last_gone = self.keep(item)
        elif isinstance(item, Joined):
            self.join(item)
        elif isinstance(item, Removed):
            self.remove(item)
        elif isinstance(item, Quarantined):
            self.quarantine(item)
        else:
            self.check_document(item)

    def keep(self, record: Record) -> Removed | Quarantined | None:
        """Send a record to its split, or to the quarantine or the removed ones, which is returned."""
        if (refused := refusal_of(record)) is not None:
            return self.quarantine(refused)
        if self.rules.repair:
            record, done = repair(record)
            if done and (refused := same_after_repair(record)) is not None:
                return self.quarantine(refused)
            for one in done:
                self.tally.repaired += 1
                self.tally.find(
                    Finding("repaired", "info", record.place, f"{one.where}: {one.before!r} → {one.after!r}")
                )
                self.writers.write("repaired", {"file": record.source, "line": record.line, **asdict(one)})
        removed = self.seen.duplicate(record)
        if removed is not None and not self.rules.keep_duplicates:
            return self.remove(removed)
        repeats = [] if removed is None else [Finding("duplicate", "warning", record.place, removed.reason)]
        return self.judge(record, repeats)

    def judge(self, record: Record, found: list[Finding]) -> Removed | None:
        """Look at a record, and write it to its split or remove it."""
        signals = self.known.of(record)
        self.writers.write("signals", line_of(record, signals))
        found += signals.findings(record.place, self.rules.limits)
        found += self.seen.contradictions(record)
        self.tally.find(*found)
        reasons = [finding for finding in found if finding.check in self.rules.remove]
        if reasons:
            first = min(reasons, key=lambda finding: REMOVABLE.index(finding.check))
            return self.remove(removal(record, first))
        self.tally.measure(record, signals.values)
        side = self.splitter.side(record)
        self.tally.splits[side] = self.tally.splits.get(side, 0) + 1
        self.writers.write(side, to_row(record))
        return None

    def join(self, row: Joined) -> None:
        """Count a row that is part of the record before it, and shares its fate."""
        gone = self.last_gone
        if gone is None:
            self.tally.joined += 1
            return
        reason = f"part of the record at {row.into}: {gone.reason}"
        if isinstance(gone, Quarantined):
            self.quarantine(Quarantined(row.source, row.line, gone.code, reason, ""))
        else:
            self.remove(Removed(row.source, row.line, gone.check, reason, "", gone.twin, gone.value, gone.threshold))

    def check_document(self, document: Document) -> None:
        """Count a line of plain text, with what the checks say; one that lost characters goes into quarantine."""
        self.tally.find(*check_document(document))
        if (loss := loss_of(document.text)) is not None:
            reason = f"the line is damaged beyond repair: {loss}"
            excerpt = document.text[:EXCERPT_CHARS]
            self.quarantine(Quarantined(document.source, document.line, LOST_TEXT, reason, excerpt))
            return
        self.tally.documents += 1

    def quarantine(self, row: Quarantined) -> Quarantined:
        """Count and name a row that cannot be used."""
        self.tally.quarantine(row)
        self.writers.write("quarantine", asdict(row))
        return row

    def remove(self, removed: Removed) -> Removed:
        """Count and name a row that was taken out."""
        self.tally.remove(removed)
        self.writers.write("removed", asdict(removed))
        return removed


def refusal_of(record: Record) -> Quarantined | None:
    """Why a record's text cannot be used: damage that certainly lost characters."""
    reason = loss_in(record)
    return None if reason is None else quarantined(record, LOST_TEXT, reason)


def same_after_repair(record: Record) -> Quarantined | None:
    """The refusal of a record whose preferred response became the other one's text by the repair."""
    for comparison in record.comparisons:
        if not comparison.is_tie and record.responses[comparison.i].messages == record.responses[comparison.j].messages:
            return quarantined(
                record, IDENTICAL, "once repaired, the preferred and the other response are the same text"
            )
    return None


def quarantined(record: Record, code: str, reason: str) -> Quarantined:
    """The quarantine's entry of a record."""
    return Quarantined(record.source, record.line, code, reason, record.responses[0].text[:EXCERPT_CHARS])


def removal(record: Record, finding: Finding) -> Removed:
    """The ledger entry of a record that a check took out."""
    excerpt = record.responses[0].text[:EXCERPT_CHARS]
    value, threshold = finding.value, finding.threshold
    return Removed(record.source, record.line, finding.check, finding.detail, excerpt, value=value, threshold=threshold)
