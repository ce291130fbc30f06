"""What the checks found, as the page shows it: the most severe first, each with the rows it found and examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.diagnose.finding import percent
from rewardsmith.language import Language, say
from rewardsmith.report.quality.table import QualityFile
from rewardsmith.report.text import Words

ORDER = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class QuotedRow:
    """A row: its place, what is to be said about it, and the beginnings of its texts by name."""

    place: str
    detail: str
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """A finding: `name` is the check's, `title` what it means."""

    name: str
    severity: str
    title: str
    counts: str
    examples: tuple[QuotedRow, ...] = ()
    shown: str = ""


def findings_of(content: QualityFile, texts: Words, lang: Language) -> list[QualityFinding]:
    """All findings: of labels as a whole (shortcuts, repeated responses), and of rows."""
    meanings = {one["check"]: say(one["meaning"], lang) for one in content["filters"]}
    whole = [
        QualityFinding(one["id"], one["severity"], say(one["sentence"], lang), "")
        for one in (content.get("shortcuts") or {}).get("findings", ())
    ]
    rows = [row_finding(one, meanings, content, texts, lang) for one in content["findings"]]
    return sorted([*whole, *rows], key=lambda one: rank(one.severity))


def rank(severity: str) -> int:
    """The most severe first; what is not known last."""
    return ORDER.index(severity) if severity in ORDER else len(ORDER)


def row_finding(
    found: Mapping[str, Any], meanings: Mapping[str, str], content: QualityFile, texts: Words, lang: Language
) -> QualityFinding:
    """What a check found in rows."""
    name, rows = found["check"], found.get("rows", found["count"])
    counts = texts["rows_found"].format(rows=f"{rows:,}", share=percent(rows / max(content["rows"], 1)))
    if removed := content["removed"].get(name):
        counts += f" · {texts['rows_removed'].format(rows=f'{removed:,}')}"
    examples = tuple(example_of(one, texts, lang) for one in found["examples"])
    shown = texts["examples_of"].format(shown=len(examples), rows=f"{found['count']:,}")
    return QualityFinding(name, found["severity"], meanings.get(name) or name, counts, examples, shown)


def example_of(example: Mapping[str, Any], texts: Words, lang: Language) -> QuotedRow:
    """An example, its texts followed by how much of them is left out."""
    quoted: Sequence[Mapping[str, Any]] = example.get("texts") or ()
    return QuotedRow(
        example["place"],
        say(example["detail"], lang),
        tuple(
            (texts["prompt"] if one["name"] == "prompt" else say(one["name"], lang), whole(one, texts))
            for one in quoted
        ),
    )


def whole(quoted: Mapping[str, Any], texts: Words) -> str:
    """A quoted text, and how many more characters it has."""
    left = quoted["characters"] - len(quoted["text"])
    return str(quoted["text"]) + (texts["characters_more"].format(left=f"{left:,}") if left > 0 else "")
