"""What `diagnose` answers, as JSON and as text for the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rewardsmith.language import Language, wrapped

WIDTH = 80
"""Columns that the text for the terminal is wrapped to; commands stay on one line, so that they can be copied."""

REASONS = 2
"""Reasons shown per use in the terminal; report.md has all."""


@dataclass(frozen=True)
class Diagnosis:
    """The verdict in one language and where the report lies.

    `verdict` is its label, `headline` its sentence; `ready` tells whether the model can be used, None where that cannot
    be said, and `ready_for` the same for best_of_n, dpo and rl, with reasons. `findings` come most severe first, causes
    before what follows from them, each with severity, status, title, evidence, cause, action and command; `next_action` is
    what to do first, `next_command` the same to type. `established` is what was found or excluded, `not_checked` what
    is open. `report` is the page that was written, `lang` its language.
    """

    verdict: str
    headline: str
    ready: bool | None
    ready_for: Mapping[str, Mapping[str, Any]]
    next_action: str
    next_command: str
    findings: tuple[dict[str, Any], ...]
    established: tuple[str, ...]
    not_checked: tuple[Mapping[str, str], ...]
    report: Path
    lang: Language
    quotes_data: ClassVar[bool] = True

    def to_json(self) -> dict[str, Any]:
        """The keys of `--json`."""
        return {
            "verdict": self.verdict,
            "headline": self.headline,
            "ready": self.ready,
            "ready_for": {use: dict(found) for use, found in self.ready_for.items()},
            "next_action": self.next_action,
            "next_command": self.next_command,
            "findings": list(self.findings),
            "could_establish": list(self.established),
            "not_checked": [dict(one) for one in self.not_checked],
            "report": str(self.report),
        }

    def to_text(self) -> str:
        """The verdict for the terminal: headline, findings most severe first, readiness, what stays open, the next step."""
        from rewardsmith.report.text import TEXTS

        texts = TEXTS[self.lang]
        lines = [*hanging(self.headline), ""]
        for finding in self.findings:
            lines += finding_lines(finding, texts)
        lines += ["", *readiness_lines(self.ready_for, texts), *open_lines(self.not_checked, texts)]
        lines += ["", *hanging(f"{texts['next_action']}{texts['colon']}{self.next_action}")]
        lines += [f"  $ {self.next_command}"] if self.next_command else []
        return "\n".join([*lines, f"→ {self.report}"])

    def to_coloured_text(self) -> str:
        """The same, the severity of each finding in its colour."""
        from rewardsmith.report.text import coloured_severities

        return coloured_severities(self.to_text())


def hanging(text: str, *, indent: int = 0) -> list[str]:
    """The text in lines of at most WIDTH columns, indented, all but the first by two more."""
    first, *others = wrapped(text, WIDTH - indent - 2)
    return [" " * indent + first, *(" " * (indent + 2) + line for line in others)]


def finding_lines(finding: Mapping[str, Any], texts: Mapping[str, str]) -> list[str]:
    """A finding: its title; the evidence; for one that is urgent also why, what to do, and the command."""
    lines = hanging(f"[{texts[finding['severity']]}] {finding['title']}")
    for line in finding["evidence"].split("\n"):
        lines += hanging(line, indent=4)
    if finding["severity"] in ("critical", "warning"):
        for name, key in (("why", "cause"), ("do", "action")):
            lines += hanging(f"{texts[name]}{texts['colon']}{finding[key]}", indent=4) if finding[key] else []
        lines += [f"    $ {finding['command']}"] if finding["command"] else []
    return lines


def readiness_lines(ready_for: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]) -> list[str]:
    """A line per use: yes, no or unknown, and the first reasons."""
    lines = []
    for use, found in ready_for.items():
        reasons = list(found["reasons"])
        more = f" (+{len(reasons) - REASONS})" if len(reasons) > REASONS else ""
        why = f" – {'; '.join(reasons[:REASONS])}{more}" if reasons else ""
        lines += hanging(f"{texts['ready_for']} {texts[use]}{texts['colon']}{texts[found['ready']]}{why}")
    return lines


def open_lines(not_checked: tuple[Mapping[str, str], ...], texts: Mapping[str, str]) -> list[str]:
    """What could not be established, and the command that would."""
    if not not_checked:
        return []
    lines = ["", f"{texts['could_not']}{texts['colon'].rstrip()}"]
    for one in not_checked:
        lines += hanging(f"- {one['what']}{texts['colon']}{one['why']}", indent=2)
        lines += [f"    $ {one['bring']}"] if one["bring"] else []
    return lines
