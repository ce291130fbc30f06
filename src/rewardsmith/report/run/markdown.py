"""The report as Markdown: the same verdict, findings, figures and errors, without plots."""

import re
from collections.abc import Mapping
from typing import Any

from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Verdict
from rewardsmith.language import Language, say
from rewardsmith.report.blocks import PageBlock
from rewardsmith.report.run.errors import clipped
from rewardsmith.report.run.evidence import NO_EVIDENCE, Evidence
from rewardsmith.report.run.extra_blocks import extra_blocks
from rewardsmith.report.run.figures import cost_figures, shown_figures
from rewardsmith.report.run.page import readiness, with_all_keys
from rewardsmith.report.text import TEXTS, Words

SHOWN_ERRORS = 20
"""Errors written out in the Markdown file; the page has more."""


def plain(text: str) -> str:
    """A text on one line that Markdown and HTML leave alone."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\s+", " ", re.sub(r"([\\`*_\[\]|#~])", r"\\\1", escaped)).strip()


def fenced(text: str) -> str:
    """A text as a code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def render_markdown(verdict: Verdict, facts: Facts, *, evidence: Evidence = NO_EVIDENCE, lang: Language = "en") -> str:
    """The whole report as Markdown text."""
    texts, said = TEXTS[lang], with_all_keys(verdict.to_json(lang))
    figures = [*shown_figures(facts, texts), *cost_figures(facts, texts)]
    parts = [
        f"# {texts['title']}" + (f"{texts['colon']}{plain(facts.name)}" if facts.name else ""),
        f"**{plain(said['headline'])}**",
        "\n".join(ready_line(one, texts) for one in readiness(said, texts)),
        f"{texts['next_action']}{texts['colon']}{plain(said['next_action'])}",
        *([fenced(said["next_command"])] if said["next_command"] else []),
        f"## {texts['findings']}",
        *(finding_part(finding, texts) for finding in said["findings"]),
        *limit_parts(said, texts),
        f"## {texts['figures']}",
        "\n".join(["| | |", "|---|---|", *(f"| {plain(n)} | {plain(v)} |" for n, v in figures)]),
        *(part for block in extra_blocks(evidence, texts, lang) for part in block_parts(block)),
        *error_parts(facts, texts),
    ]
    if facts.notes:
        parts += [f"## {texts['notes']}", "\n".join(f"- {plain(say(note, lang))}" for note in facts.notes)]
    return "\n\n".join(parts) + "\n"


def ready_line(one: Mapping[str, Any], texts: Words) -> str:
    """Whether the model may be used for a purpose, and why not."""
    reasons = "; ".join(map(plain, one["reasons"]))
    line = f"- {plain(one['name'])}{texts['colon']}{one['said']}"
    return f"{line} ({reasons})" if reasons else line


def finding_part(finding: Mapping[str, Any], texts: Words) -> str:
    """A finding with its evidence, cause, action and command."""
    lines = [f"- **[{texts[finding['severity']]}] {plain(finding['title'])}** (`{finding['id']}`)"]
    lines.append(f"  {plain(finding['evidence'])}")
    lines += [
        f"  {texts[n]}{texts['colon']}{plain(finding[key])}"
        for n, key in (("why", "cause"), ("do", "action"))
        if finding[key]
    ]
    if finding["command"]:
        lines.append(f"  `{finding['command']}`")
    return "  \n".join(lines)


def limit_parts(said: Mapping[str, Any], texts: Words) -> list[str]:
    """What the report establishes, and what was not measured, with the command that measures it."""
    parts = [f"## {texts['limits']}"]
    for key in ("could_establish", "could_not"):
        if said[key]:
            parts.append(
                "\n".join([f"{texts[key]}{texts['colon'].rstrip()}\n", *(f"- {plain(line)}" for line in said[key])])
            )
    if said["not_checked"]:
        lines = [open_line(one, texts) for one in said["not_checked"]]
        parts.append("\n".join([f"{texts['not_checked']}{texts['colon'].rstrip()}\n", *lines]))
    return parts if len(parts) > 1 else []


def open_line(one: Any, texts: Words) -> str:
    """A question that stays open."""
    if isinstance(one, str):
        return f"- {plain(one)}"
    bring = f" (`{one['bring']}`)" if one.get("bring") else ""
    return f"- {plain(one['what'])}{texts['colon']}{plain(one['why'])}{bring}"


def block_parts(block: PageBlock) -> list[str]:
    """A section on a benchmark or an audit: its sentences and tables."""
    parts = [f"## {block.title}", *map(plain, block.lines)]
    for table in block.tables:
        rows = ["| " + " | ".join(map(plain, row)) + " |" for row in (table.heads, *table.rows)]
        parts.append("\n".join([rows[0], "|---" * len(table.heads) + "|", *rows[1:]]))
    return [*parts, *map(plain, block.remarks)]


def error_parts(facts: Facts, texts: dict[str, str]) -> list[str]:
    """The worst errors with their texts."""
    head = f"## {texts['worst_errors']}"
    if facts.compared is None or not facts.compared.worst:
        return [head, texts["no_errors"]]
    worst = facts.compared.worst[:SHOWN_ERRORS]
    parts = [head, texts["errors_shown"].format(shown=len(worst), errors=facts.compared.errors)]
    for mistake in worst:
        parts.append(f"### {texts['margin']} {mistake.margin:.3f} ({plain(mistake.place)})")
        for name, text in (("prompt", mistake.prompt), ("preferred", mistake.preferred), ("other", mistake.other)):
            parts.append(f"{texts[name]}{texts['colon'].rstrip()}\n\n{fenced(clipped(text, texts))}")
    return parts
