"""Where `rewardsmith prepare` sends each row: a split, the quarantine, or the removed ones."""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith.commands.prepare_across import Across
from rewardsmith.commands.prepare_judging import LOST_TEXT, Judge, Verdict
from rewardsmith.commands.prepare_tally import Tally
from rewardsmith.data.loading import Loadable
from rewardsmith.data.native import to_row
from rewardsmith.quality import contamination
from rewardsmith.quality.checks import EXCERPT_CHARS, Finding, check_document
from rewardsmith.quality.repair import loss_of
from rewardsmith.quality.signals import line_of
from rewardsmith.records import Document, Joined, Quarantined, Record, Removed


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
    """Sends each row to its place, and tells the tally."""

    def __init__(self, across: Across, judge: Judge, tally: Tally, writers: Writers) -> None:
        self.across, self.judge, self.tally, self.writers = across, judge, tally, writers
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
        verdict = self.judge.look(record)
        self.tell(verdict)
        if isinstance(verdict.gone, Quarantined):
            return self.quarantine(verdict.gone)
        removed, found = verdict.gone, verdict.found
        if removed is None:
            removed, others = self.across.look(verdict.record, self.judge.rules.remove, self.writers.write)
            found = [*found, *others]
        self.tally.find(*found)
        if removed is not None:
            return self.remove(removed)
        self.place(verdict)
        return None

    def tell(self, verdict: Verdict) -> None:
        """Write down what was repaired, found in a benchmark and measured."""
        record, write = verdict.record, self.writers.write
        refused = isinstance(verdict.gone, Quarantined)
        for one in () if refused else verdict.repairs:
            self.tally.repaired += 1
            self.tally.find(Finding("repaired", "info", record.place, f"{one.where}: {one.before!r} → {one.after!r}"))
            write("repaired", {"file": record.source, "line": record.line, **asdict(one)})
        for hit in verdict.hits:
            write(contamination.CHECK, contamination.line_of(hit, record))
        if verdict.signals is not None:
            write("signals", line_of(record, verdict.signals))

    def place(self, verdict: Verdict) -> None:
        """Write a record that stays into its split."""
        record = verdict.record
        assert verdict.signals is not None
        self.tally.measure(record, verdict.signals.values)
        side = self.across.splitter.side(record)
        self.tally.splits[side] = self.tally.splits.get(side, 0) + 1
        self.writers.write(side, to_row(record))

    def join(self, row: Joined) -> None:
        """Count a row that is part of the record before it, and shares its fate."""
        gone = self.last_gone
        if gone is None:
            self.tally.join(row)
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
