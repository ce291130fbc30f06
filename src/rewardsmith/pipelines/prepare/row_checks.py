"""What `rewardsmith prepare` decides about each row by itself, before rows are compared with each other.

Nothing here knows another row, so rows can be checked anywhere and in any order. Nothing is written or counted here.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.loading.load import Loadable
from rewardsmith.quality.cross_row import contamination
from rewardsmith.quality.cross_row.contamination import Benchmark
from rewardsmith.quality.row.checks import EXCERPT_CHARS, REMOVABLE, RowFinding, check_document
from rewardsmith.quality.row.fingerprints import Fingerprint, fingerprint_of
from rewardsmith.quality.row.limits import Limits
from rewardsmith.quality.row.repair import Repair, loss_in, loss_of, repair
from rewardsmith.quality.row.signals import SignalCache, Signals, key_of, line_of, signals_of
from rewardsmith.records import Document, Quarantined, Record, Removed

LOST_TEXT = "lost_text"
IDENTICAL = "identical_responses"
OWN_CHECKS = frozenset(REMOVABLE)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is done to rows: the thresholds, the checks whose rows are removed, and whether text is repaired."""

    limits: Limits
    remove: Collection[str] = ()
    repair: bool = False
    keep_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class RowDecision:
    """What a row is by itself: the `item` (a record as repaired), why it is `gone`, and what there is to say about it.

    `row` is the record as it is written, `line` that of signals.jsonl; `hits` are lines of contamination.jsonl. `refused`
    marks rows that are gone before anything else is asked: lost text, or a benchmark's. `reused` tells that the values
    come from an earlier run. `fingerprint` is there while rows are checked, and not read back.
    """

    item: Loadable
    row: dict[str, Any] | None = None
    gone: Quarantined | Removed | None = None
    refused: bool = False
    repairs: tuple[Repair, ...] = ()
    hits: tuple[dict[str, Any], ...] = ()
    found: tuple[RowFinding, ...] = ()
    signals: Signals | None = None
    line: dict[str, Any] | None = None
    reused: bool = False
    fingerprint: Fingerprint | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RowChecker:
    """Checks one row at a time; `cache` holds what an earlier run measured."""

    rules: Rules
    benchmark: Benchmark | None
    cache: SignalCache

    def decide(self, item: Loadable) -> RowDecision:
        """What a row is by itself."""
        if isinstance(item, Record):
            return self.decide_record(item)
        if isinstance(item, Document):
            return decide_document(item)
        return RowDecision(item)

    def decide_record(self, record: Record) -> RowDecision:
        """Refusal of lost text, repair, contamination, then checks and measures."""
        if (refused := refusal_of(record)) is not None:
            return RowDecision(record, gone=refused, refused=True)
        repairs: tuple[Repair, ...] = ()
        if self.rules.repair:
            record, repairs = repair(record)
            if repairs and (same := same_after_repair(record)) is not None:
                return RowDecision(record, gone=same, refused=True)
        if self.benchmark is not None and (hits := list(self.benchmark.hits(record))):
            gone = contamination.removal(hits, record, self.benchmark.overlap)
            lines = tuple(contamination.line_of(hit, record) for hit in hits)
            return RowDecision(record, gone=gone, refused=True, repairs=repairs, hits=lines)
        return self.measured(record, repairs)

    def measured(self, record: Record, repairs: tuple[Repair, ...]) -> RowDecision:
        """What the checks say, and the removal of a row that they take out."""
        fingerprint = fingerprint_of(record)
        key = key_of(record, fingerprint)
        cached = self.cache.of(key)
        signals = signals_of(record) if cached is None else cached
        found = signals.findings(record.place, self.rules.limits)
        reasons = [one for one in found if one.check in OWN_CHECKS and one.check in self.rules.remove]
        gone = removal(record, reasons) if reasons else None
        return RowDecision(
            record,
            to_row(record),
            gone,
            repairs=repairs,
            found=tuple(found),
            signals=signals,
            line=line_of(record, signals, key),
            reused=cached is not None,
            fingerprint=fingerprint,
        )


def decide_document(document: Document) -> RowDecision:
    """A line of plain text, with what the checks say; one that lost characters is refused."""
    found = tuple(check_document(document))
    if (loss := loss_of(document.text)) is None:
        return RowDecision(document, found=found)
    reason = f"the line cannot be repaired: {loss}"
    excerpt = document.text[:EXCERPT_CHARS]
    gone = Quarantined(document.source, document.line, LOST_TEXT, reason, excerpt, document.byte)
    return RowDecision(document, gone=gone, found=found)


def refusal_of(record: Record) -> Quarantined | None:
    """Why a record's text cannot be used: damage that certainly lost characters."""
    reason = loss_in(record)
    return None if reason is None else quarantined(record, LOST_TEXT, reason)


def same_after_repair(record: Record) -> Quarantined | None:
    """The refusal of a record whose preferred response became the other one's text by the repair."""
    for comparison in record.comparisons:
        if not comparison.is_tie and record.responses[comparison.i].messages == record.responses[comparison.j].messages:
            return quarantined(
                record, IDENTICAL, "after the repair, the preferred and the other response are the same text"
            )
    return None


def quarantined(record: Record, code: str, reason: str) -> Quarantined:
    """The quarantine's entry of a record."""
    excerpt = record.responses[0].text[:EXCERPT_CHARS]
    return Quarantined(record.source, record.line, code, reason, excerpt, record.byte)


def removal(record: Record, reasons: list[RowFinding]) -> Removed:
    """The ledger entry of a record that checks took out: the first of them."""
    finding = min(reasons, key=lambda one: REMOVABLE.index(one.check))
    excerpt = record.responses[0].text[:EXCERPT_CHARS]
    value, threshold = finding.value, finding.threshold
    return Removed(record.source, record.line, finding.check, finding.detail, excerpt, value=value, threshold=threshold)
