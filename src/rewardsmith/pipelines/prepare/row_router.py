"""Where `rewardsmith prepare` sends each row: a split, the quarantine, or the removed ones."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.splits.splitter import Split
from rewardsmith.pipelines.prepare.cross_row import CrossRowChecks, FinalDecision
from rewardsmith.pipelines.prepare.row_checks import RowDecision
from rewardsmith.pipelines.prepare.statistics import Tally
from rewardsmith.quality.cross_row import contamination
from rewardsmith.quality.row.checks import EXCERPT_CHARS, LABEL_NOISE, RowFinding
from rewardsmith.records import Joined, Quarantined, Record, Removed

DROPPED = "its label is more likely wrong than right and was dropped; see label_noise.jsonl"


class Writers(contextlib.ExitStack):
    """Files of JSON lines in one folder, each made when its first row comes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.open: dict[str, IO[bytes]] = {}

    def write(self, name: str, row: Any) -> None:
        """Add a row to `name`.jsonl."""
        self.start(name)
        self.open[name].write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def write_all(self, name: str, rows: Iterable[Any]) -> None:
        """Add rows to `name`.jsonl, which is there even without one."""
        self.start(name)
        for row in rows:
            self.write(name, row)

    def start(self, name: str) -> None:
        """Make `name`.jsonl, if it is not there yet."""
        if name not in self.open:
            self.open[name] = self.enter_context((self.folder / f"{name}.jsonl").open("wb"))


class HeldRecord(NamedTuple):
    """A record that is not written yet, and the rows that were joined to it."""

    record: Record
    joined: list[Joined]


class Fate(NamedTuple):
    """What became of a record that rows are votes on: its removal, or the list of its rows where it is held."""

    gone: Removed | Quarantined | None
    joined: list[Joined] | None


class RowRouter:
    """Sends each row to its place and counts it; first `route` with all, then `release` where records are held.

    With `holds` the records of the splits stay in memory, in `held`, until it is known what becomes of their labels.
    `sizes` counts the records of each split before that.
    """

    def __init__(self, cross_row: CrossRowChecks, tally: Tally, writers: Writers, *, holds: bool = False) -> None:
        self.cross_row, self.tally, self.writers, self.holds = cross_row, tally, writers, holds
        self.held: dict[Split, list[HeldRecord]] = {}
        self.sizes: Counter[Split] = Counter()
        # The record that the next rows may be joined to: its removal, if it is gone, or the list of its rows, if it is held.
        self.last_gone: Removed | Quarantined | None = None
        self.last_joined: list[Joined] | None = None
        self.voted: dict[int, Fate] = {}
        self.routed = 0
        for name in ("quarantine", "removed", "signals"):
            writers.start(name)

    def route(self, decision: RowDecision) -> None:
        """Count and write one row, or hold it."""
        self.routed += 1
        item = decision.item
        if isinstance(item, Record):
            self.last_gone = self.route_record(decision, item)
        elif isinstance(item, Joined):
            self.join(item, self.last_gone)
        elif isinstance(item, Removed):
            self.remove(item)
        elif isinstance(item, Quarantined):
            self.quarantine(item)
        else:
            self.route_document(decision)

    def route_record(self, decision: RowDecision, record: Record) -> Removed | Quarantined | None:
        """Send a record to its split, or to the quarantine or the removed ones, which is returned."""
        decision, record = self.cross_row.with_votes(decision, record)
        final = self.cross_row.decide(decision, record, self.writers.write)
        self.write_repairs_and_hits(decision, record)
        if final.head is not None:
            return self.route_vote(record, final.head)
        gone = self.settle_record(final, decision, record)
        if self.cross_row.row in self.cross_row.votes.counts:
            self.voted[self.cross_row.row] = Fate(gone, self.last_joined)
        return gone

    def route_vote(self, record: Record, head: int) -> Removed | Quarantined | None:
        """Send a record after the one whose votes it is among; returns what became of that."""
        fate = self.voted[head]
        self.last_joined = fate.joined
        excerpt = record.responses[0].text[:EXCERPT_CHARS]
        into = self.cross_row.places[head]
        self.join(Joined(record.source, record.line, into, excerpt, record.byte), fate.gone)
        return fate.gone

    def settle_record(
        self, final: FinalDecision, decision: RowDecision, record: Record
    ) -> Removed | Quarantined | None:
        """Count and write a record, wherever it goes; its removal is returned."""
        if isinstance(final.gone, Quarantined):
            return self.quarantine(final.gone)
        if final.measured:
            self.tally.reused += decision.reused
            self.writers.write("signals", decision.line)
        self.tally.find(*final.found, record=record)
        if final.gone is not None:
            return self.remove(final.gone)
        self.place(decision, record)
        return None

    def write_repairs_and_hits(self, decision: RowDecision, record: Record) -> None:
        """Write down what was repaired and found in a benchmark."""
        write = self.writers.write
        told = [f"{one.where}: {one.before!r} → {one.after!r}" for one in decision.repairs]
        self.tally.find(*(RowFinding("repaired", "info", record.place, detail) for detail in told))
        self.tally.repaired += len(told)
        for one in decision.repairs:
            write("repaired", {"file": record.source, "line": record.line, **asdict(one)})
        for hit in decision.hits:
            write(contamination.CHECK, hit)

    def place(self, decision: RowDecision, record: Record) -> None:
        """Measure a record that stays, and write it into its split, or hold it."""
        assert decision.signals is not None
        self.tally.measure(record, decision.signals.values)
        side = self.cross_row.splitter.side(record)
        self.sizes[side] += 1
        if self.holds:
            self.last_joined = []
            self.held.setdefault(side, []).append(HeldRecord(record, self.last_joined))
        else:
            self.keep(side, decision.row)

    def keep(self, side: Split, row: Any) -> None:
        """Count and write a row of a split."""
        self.tally.splits[side] = self.tally.splits.get(side, 0) + 1
        self.writers.write(side, row)

    def join(self, row: Joined, gone: Removed | Quarantined | None) -> None:
        """Count a row that is part of a record routed before it, and goes where that went."""
        if gone is None and self.last_joined is not None:
            self.last_joined.append(row)
        elif gone is None:
            self.tally.joined += 1
        elif isinstance(gone, Quarantined):
            reason = f"part of the record at {row.into}: {gone.reason}"
            self.quarantine(Quarantined(row.source, row.line, gone.code, reason, row.excerpt, row.byte))
        else:
            reason = f"part of the record at {row.into}: {gone.reason}"
            values = (gone.twin, gone.value, gone.threshold)
            self.remove(Removed(row.source, row.line, gone.check, reason, row.excerpt, *values))

    def release(self, side: Split, changed: Mapping[int, Record | None]) -> int:
        """Write the records of a split that were held, by their number there as they are or were `changed`.

        None stands for a record without a label that is left: it is removed, and so are the rows that were joined to it.
        Returns how many rows were removed.
        """
        self.writers.start(side)
        self.tally.splits.setdefault(side, 0)
        before = self.tally.removed.total()
        for number, (record, joined) in enumerate(self.held.pop(side)):
            new = changed.get(number, record)
            if new is None:
                self.drop(record, joined)
            else:
                self.keep(side, to_row(new))
                self.tally.joined += len(joined)
        return self.tally.removed.total() - before

    def drop(self, record: Record, joined: list[Joined]) -> None:
        """Remove a held record whose labels were dropped, with the rows that were joined to it."""
        excerpt = record.responses[0].text[:EXCERPT_CHARS]
        self.remove(Removed(record.source, record.line, LABEL_NOISE, DROPPED, excerpt))
        reason = f"part of the record at {record.place}: {DROPPED}"
        for row in joined:
            self.remove(Removed(row.source, row.line, LABEL_NOISE, reason, ""))

    def route_document(self, decision: RowDecision) -> None:
        """Count a line of plain text, with what the checks say."""
        self.tally.find(*decision.found)
        if isinstance(decision.gone, Quarantined):
            self.quarantine(decision.gone)
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
