"""Write the report's three files."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Verdict
from rewardsmith.files import write_json, write_text
from rewardsmith.language import Language
from rewardsmith.report.run.evidence import NO_EVIDENCE, Evidence
from rewardsmith.report.run.figures import COST
from rewardsmith.report.run.markdown import render_markdown
from rewardsmith.report.run.page import render_page


class ReportPaths(NamedTuple):
    """Where the report lies."""

    html: Path
    markdown: Path
    json: Path


def report_paths(folder: Path) -> ReportPaths:
    """The three files of a report in `folder`."""
    return ReportPaths(folder / "report.html", folder / "report.md", folder / "report.json")


def write_report(
    verdict: Verdict, facts: Facts, folder: Path, *, evidence: Evidence = NO_EVIDENCE, lang: Language = "en"
) -> ReportPaths:
    """Write report.html, report.md and report.json into `folder`, replacing those there; OutputError if impossible."""
    paths = report_paths(folder)
    text = render_markdown(verdict, facts, evidence=evidence, lang=lang)
    write_text(paths.html, render_page(verdict, facts, evidence=evidence, lang=lang))
    write_text(paths.markdown, text.encode("utf-8", "replace").decode())
    write_json(paths.json, report_object(verdict, facts, paths, lang) | measured_object(evidence))
    return paths


def report_object(verdict: Verdict, facts: Facts, paths: ReportPaths, lang: Language) -> dict[str, Any]:
    """The content of report.json; numbers that are not finite become null."""
    content: dict[str, Any] = {
        **verdict.to_json(lang),
        "lang": lang,
        "numbers": facts.numbers(),
        "training": {name: facts.training[name] for name in COST if facts.training.get(name) is not None},
        "by_category": [vars_of(group) for group in facts.by_category],
        "by_difficulty": {name: [vars_of(g) for g in groups] for name, groups in facts.by_difficulty.items()},
        "errors": facts.compared.errors if facts.compared else None,
        "notes": list(facts.notes),
        "unread": list(facts.unread),
        "paths": {name: path.name for name, path in paths._asdict().items()},
    }
    cleaned: dict[str, Any] = without_nan(content)
    return cleaned


def measured_object(evidence: Evidence) -> dict[str, Any]:
    """`benchmark`, `learning_curve` and `audit` of report.json, where they were measured; without the texts of examples."""
    content = {}
    if evidence.evaluation.get("benchmark"):
        content["benchmark"] = without_nan(evidence.evaluation["benchmark"])
    if evidence.learning_curve:
        content["learning_curve"] = without_nan(evidence.learning_curve)
    if evidence.audit:
        effects = [{**one, "examples": len(one.get("examples") or ())} for one in evidence.audit.get("effects") or ()]
        content["audit"] = without_nan({**evidence.audit, "effects": effects})
    return content


def vars_of(group: Any) -> dict[str, Any]:
    """A group of comparisons as JSON."""
    spread = None if group.interval is None else [group.interval.low, group.interval.high]
    return {"label": group.label, "n": group.n, "accuracy": group.accuracy, "accuracy_ci": spread}


def without_nan(value: Any) -> Any:
    """The same value with null where a float is not finite, at any depth."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
