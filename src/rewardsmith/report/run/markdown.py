"""The report as Markdown: the same verdict, findings, figures and errors, without plots."""

import re

from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Verdict
from rewardsmith.language import Language, say
from rewardsmith.report.run.errors import clipped
from rewardsmith.report.run.figures import cost_figures, shown_figures
from rewardsmith.report.text import TEXTS

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


def render_markdown(verdict: Verdict, facts: Facts, *, lang: Language = "en") -> str:
    """The whole report as Markdown text."""
    texts = TEXTS[lang]
    ready = texts[{True: "yes", False: "no", None: "unknown"}[verdict.ready]]
    parts = [
        f"# {texts['title']}" + (f"{texts['colon']}{plain(facts.name)}" if facts.name else ""),
        f"**{plain(verdict.headline.to(lang))}**",
        f"{texts['ready']}{texts['colon']}{ready}",
        f"{texts['next_action']}{texts['colon']}{plain(verdict.next_action.to(lang))}",
        f"## {texts['findings']}",
        *finding_parts(verdict, texts, lang),
        f"## {texts['figures']}",
        "\n".join(
            [
                "| | |",
                "|---|---|",
                *(
                    f"| {plain(n)} | {plain(v)} |"
                    for n, v in [*shown_figures(facts, texts), *cost_figures(facts, texts)]
                ),
            ]
        ),
        *error_parts(facts, texts),
    ]
    if facts.notes:
        parts += [f"## {texts['notes']}", "\n".join(f"- {plain(say(note, lang))}" for note in facts.notes)]
    return "\n\n".join(parts) + "\n"


def finding_parts(verdict: Verdict, texts: dict[str, str], lang: Language) -> list[str]:
    """One block per finding."""
    blocks = []
    for finding in verdict.findings:
        lines = [f"- **[{texts[finding.severity]}] {plain(finding.title.to(lang))}** (`{finding.id}`)"]
        lines.append(f"  {plain(finding.evidence.to(lang))}")
        for name, said in (("why", finding.cause), ("do", finding.action)):
            if said.to(lang):
                lines.append(f"  {texts[name]}{texts['colon']}{plain(said.to(lang))}")
        blocks.append("  \n".join(lines))
    return blocks


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
