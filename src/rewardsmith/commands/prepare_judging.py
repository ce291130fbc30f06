"""What `rewardsmith prepare` decides about each row by itself, before rows are looked at together.

Both passes over the sources ask a `Judge` of their own in the same order, so a row that is refused, repaired or removed
here is so for the search across rows too. Nothing is written or counted here.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from rewardsmith.quality import contamination
from rewardsmith.quality.checks import DUPLICATE, EXCERPT_CHARS, REMOVABLE, Finding, Seen
from rewardsmith.quality.contamination import Benchmark, Hit
from rewardsmith.quality.limits import Limits
from rewardsmith.quality.repair import Repair, loss_in, repair
from rewardsmith.quality.signals import Known, Signals
from rewardsmith.records import Quarantined, Record, Removed

LOST_TEXT = "lost_text"
IDENTICAL = "identical_responses"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is done to rows: the thresholds, the checks whose rows are removed, and whether text is repaired."""

    limits: Limits
    remove: Collection[str] = ()
    repair: bool = False
    keep_duplicates: bool = False


@dataclass
class Verdict:
    """What a row is by itself: the record as repaired, why it is `gone`, and what there is to say about it.

    `signals` are there if the row was measured.
    """

    record: Record
    gone: Quarantined | Removed | None = None
    repairs: tuple[Repair, ...] = ()
    hits: list[Hit] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    signals: Signals | None = None


class Judge:
    """Looks at rows one by one, in the order of the sources.

    With `deciding_only` nothing is measured that decides nothing: findings and signals may then be missing.
    """

    def __init__(self, rules: Rules, benchmark: Benchmark | None, known: Known, *, deciding_only: bool = False) -> None:
        self.rules, self.benchmark, self.known = rules, benchmark, known
        self.measures = not deciding_only or bool(set(rules.remove) & set(REMOVABLE))
        self.seen = Seen()

    def look(self, record: Record) -> Verdict:
        """Refusal of lost text, repair, contamination, repeats of an earlier row, checks whose rows are removed."""
        verdict = Verdict(record)
        verdict.gone = self.refusal(verdict)
        if verdict.gone is not None:
            return verdict
        verdict.gone = self.elsewhere(verdict)
        if verdict.gone is not None:
            self.known.skip(record)
            return verdict
        verdict.gone = self.removal(verdict)
        if verdict.gone is not None:
            self.seen.forget(verdict.record)
        return verdict

    def refusal(self, verdict: Verdict) -> Quarantined | None:
        """Why a row's text cannot be used; the text is repaired where that is asked for."""
        if (refused := refusal_of(verdict.record)) is not None or not self.rules.repair:
            return refused
        verdict.record, verdict.repairs = repair(verdict.record)
        return same_after_repair(verdict.record) if verdict.repairs else None

    def elsewhere(self, verdict: Verdict) -> Removed | None:
        """The removal of a row that stands elsewhere: in a benchmark, or earlier in the sources."""
        record = verdict.record
        if self.benchmark is not None and (hits := list(self.benchmark.hits(record))):
            verdict.hits = hits
            return contamination.removal(hits, record, self.benchmark.overlap)
        repeated = self.seen.duplicate(record)
        if repeated is not None and not self.rules.keep_duplicates:
            return repeated
        if repeated is not None:
            verdict.found.append(Finding(DUPLICATE, "warning", record.place, repeated.reason))
        return None

    def removal(self, verdict: Verdict) -> Removed | None:
        """What the checks say, and the removal of a row that they take out."""
        record = verdict.record
        if self.measures:
            verdict.signals = self.known.of(record)
            verdict.found += verdict.signals.findings(record.place, self.rules.limits)
        reasons = [one for one in verdict.found if one.check in REMOVABLE and one.check in self.rules.remove]
        return removal(record, min(reasons, key=lambda one: REMOVABLE.index(one.check))) if reasons else None


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
