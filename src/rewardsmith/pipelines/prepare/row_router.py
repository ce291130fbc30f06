"""Where `rewardsmith prepare` sends each row: a split, the quarantine, or the removed ones."""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith.pipelines.prepare.cross_row import Across
from rewardsmith.pipelines.prepare.row_checks import Verdict
from rewardsmith.pipelines.prepare.statistics import Tally
from rewardsmith.quality.cross_row import contamination
from rewardsmith.quality.row.checks import Finding
from rewardsmith.records import Joined, Quarantined, Record, Removed


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

    def __init__(self, across: Across, tally: Tally, writers: Writers) -> None:
        self.across, self.tally, self.writers = across, tally, writers
        self.last_gone: Removed | Quarantined | None = (
            None  # the record to which the next rows are joined, if it is gone
        )
        self.taken = 0
        for name in ("quarantine", "removed", "signals"):
            writers.start(name)

    def take(self, verdict: Verdict) -> None:
        """Count and write one row."""
        self.taken += 1
        item = verdict.item
        if isinstance(item, Record):
            self.last_gone = self.keep(verdict, item)
        elif isinstance(item, Joined):
            self.join(item)
        elif isinstance(item, Removed):
            self.remove(item)
        elif isinstance(item, Quarantined):
            self.quarantine(item)
        else:
            self.tell_document(verdict)

    def keep(self, verdict: Verdict, record: Record) -> Removed | Quarantined | None:
        """Send a record to its split, or to the quarantine or the removed ones, which is returned."""
        fate = self.across.look(verdict, record, self.writers.write)
        self.tell(verdict, record)
        if isinstance(fate.gone, Quarantined):
            return self.quarantine(fate.gone)
        if fate.measured:
            self.tally.reused += verdict.reused
            self.writers.write("signals", verdict.line)
        self.tally.find(*fate.found)
        if fate.gone is not None:
            return self.remove(fate.gone)
        self.place(verdict, record)
        return None

    def tell(self, verdict: Verdict, record: Record) -> None:
        """Write down what was repaired and found in a benchmark."""
        write = self.writers.write
        for one in verdict.repairs:
            self.tally.repaired += 1
            self.tally.find(Finding("repaired", "info", record.place, f"{one.where}: {one.before!r} → {one.after!r}"))
            write("repaired", {"file": record.source, "line": record.line, **asdict(one)})
        for hit in verdict.hits:
            write(contamination.CHECK, hit)

    def place(self, verdict: Verdict, record: Record) -> None:
        """Write a record that stays into its split."""
        assert verdict.signals is not None
        self.tally.measure(record, verdict.signals.values)
        side = self.across.splitter.side(record)
        self.tally.splits[side] = self.tally.splits.get(side, 0) + 1
        self.writers.write(side, verdict.row)

    def join(self, row: Joined) -> None:
        """Count a row that is part of the record before it, and shares its fate."""
        gone = self.last_gone
        if gone is None:
            self.tally.join(row)
            return
        reason = f"part of the record at {row.into}: {gone.reason}"
        if isinstance(gone, Quarantined):
            self.quarantine(Quarantined(row.source, row.line, gone.code, reason, row.excerpt, row.byte))
        else:
            values = (gone.twin, gone.value, gone.threshold)
            self.remove(Removed(row.source, row.line, gone.check, reason, row.excerpt, *values))

    def tell_document(self, verdict: Verdict) -> None:
        """Count a line of plain text, with what the checks say."""
        self.tally.find(*verdict.found)
        if isinstance(verdict.gone, Quarantined):
            self.quarantine(verdict.gone)
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
