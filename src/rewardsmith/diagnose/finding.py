"""What the verdict is made of: sentences in two languages, findings, and the verdict itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rewardsmith.language import Language, cut

Severity = Literal["critical", "warning", "info", "good"]
FindingStatus = Literal["found", "excluded", "cannot_tell"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info", "good")
"""Most urgent first."""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement in English and in Chinese."""

    en: str
    zh: str

    def to(self, lang: Language) -> str:
        """The statement in that language."""
        return self.en if lang == "en" else self.zh


NOTHING = Said("", "")


def joined(statements: Iterable[Said]) -> Said:
    """Statements one after the other, between semicolons; without a full stop."""
    listed = list(statements)
    return Said("; ".join(said.en for said in listed), "；".join(said.zh for said in listed))


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer about a run: a short title, the numbers behind it, why it is so, and what to do.

    `id` names the answer, not the question; `numbers` are the figures of the evidence for machines. `status` says whether
    what was asked for is there, is excluded, or cannot be told; `command` is the action as a command line, if one does it.
    """

    id: str
    severity: Severity
    title: Said
    evidence: Said
    cause: Said = NOTHING
    action: Said = NOTHING
    numbers: Mapping[str, Any] = field(default_factory=dict)
    status: FindingStatus = "found"
    command: str = ""

    @property
    def urgent(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.severity in ("critical", "warning")

    def to_json(self, lang: Language = "en") -> dict[str, Any]:
        """Plain JSON with the texts in one language."""
        return {
            "id": self.id,
            "severity": self.severity,
            "status": self.status,
            "title": self.title.to(lang),
            "evidence": self.evidence.to(lang),
            "cause": self.cause.to(lang),
            "action": self.action.to(lang),
            "command": self.command,
            "numbers": dict(self.numbers),
        }


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether one use of the model is justified: yes, no or unknown, and why not (empty for yes)."""

    ready: Literal["yes", "no", "unknown"]
    reasons: tuple[Said, ...]

    def to_json(self, lang: Language = "en") -> dict[str, Any]:
        """Plain JSON with the texts in one language."""
        return {"ready": self.ready, "reasons": [said.to(lang) for said in self.reasons]}


@dataclass(frozen=True, slots=True)
class Open:
    """A question that stays open: what, why, and the command that answers it ("" where none does)."""

    what: Said
    why: Said
    bring: str = ""

    def to_json(self, lang: Language = "en") -> dict[str, str]:
        """Plain JSON with the texts in one language."""
        return {"what": self.what.to(lang), "why": self.why.to(lang), "bring": self.bring}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on a run.

    `label` is one of verdict.LABELS; `findings` come most severe first, causes before what follows from them;
    `next_action` is the one thing to do now and `next_command` the same as a command line, where one does it.
    `ready` says whether best-of-N may use the model: None where that cannot be said; `ready_for` says it for each use.
    `established` are the questions that were answered, `not_checked` those that stay open.
    """

    label: str
    headline: Said
    findings: tuple[Finding, ...]
    next_action: Said
    ready: bool | None
    next_command: str = ""
    ready_for: Mapping[str, Readiness] = field(default_factory=dict)
    established: tuple[Said, ...] = ()
    not_checked: tuple[Open, ...] = ()

    def to_json(self, lang: Language = "en") -> dict[str, Any]:
        """Plain JSON with the texts in one language."""
        return {
            "verdict": self.label,
            "headline": self.headline.to(lang),
            "ready": self.ready,
            "ready_for": {use: found.to_json(lang) for use, found in self.ready_for.items()},
            "next_action": self.next_action.to(lang),
            "next_command": self.next_command,
            "findings": [finding.to_json(lang) for finding in self.findings],
            "could_establish": [said.to(lang) for said in self.established],
            "not_checked": [one.to_json(lang) for one in self.not_checked],
        }


def percent(value: float) -> str:
    """A share as a percentage with one decimal: 0.7063 -> `70.6 %`."""
    return f"{100 * value:.1f} %"


def span(low: float, high: float) -> str:
    """An interval of shares; whole percents where it is wider than ten points: `9–91 %`, `68.1–72.4 %`."""
    digits = 0 if high - low > 0.1 else 1
    return f"{100 * low:.{digits}f}–{100 * high:.{digits}f} %"


def signed_span(low: float, high: float) -> str:
    """An interval of differences in percentage points: `-1.2 … +3.4`."""
    return f"{100 * low:+.1f} … {100 * high:+.1f}"


def shown(value: float | None) -> str:
    """A count for a sentence; `?` where it is not known."""
    return "?" if value is None else f"{value:,.0f}"


LABEL_COLUMNS = 28
"""Columns of a label from the data that fit an axis or a sentence; a Chinese character takes two."""


def short_label(label: str) -> str:
    """A label from the data for a sentence or an axis: short, and nothing that steers a terminal or breaks XML."""
    clean = "".join(char if char.isprintable() else " " for char in label)
    return cut(clean, LABEL_COLUMNS)
