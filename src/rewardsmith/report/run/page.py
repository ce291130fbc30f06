"""The report as one HTML file: opens offline, asks for nothing, and shows hostile texts as texts."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Verdict
from rewardsmith.language import Language, say
from rewardsmith.report.charts.plot import Plot
from rewardsmith.report.run.errors import ERRORS_ON_PAPER, about_tokens, categories_of, error_rows
from rewardsmith.report.run.evidence import NO_EVIDENCE, Evidence
from rewardsmith.report.run.extra_blocks import extra_blocks
from rewardsmith.report.run.figures import cost_figures, headlines, shown_figures
from rewardsmith.report.run.plots import all_plots
from rewardsmith.report.templating import render_html
from rewardsmith.report.text import TEXTS

TRAINING_CHARTS = ("loss", "accuracy")
READY = {True: "yes", False: "no", None: "unknown"}


def render_page(verdict: Verdict, facts: Facts, *, evidence: Evidence = NO_EVIDENCE, lang: Language = "en") -> str:
    """The whole page as HTML text."""
    texts = TEXTS[lang]
    said = with_all_keys(verdict.to_json(lang))
    errors = error_rows(facts, texts, evidence.error_tokens)
    return render_html(
        "run.html",
        lang,
        t=texts,
        script="errors.js",
        name=facts.name,
        label=verdict.label,
        verdict=said,
        ready=readiness(said, texts),
        headlines=headlines(facts, texts),
        figures=shown_figures(facts, texts),
        charts=chart_groups(all_plots(facts, texts), texts),
        blocks=extra_blocks(evidence, texts, lang),
        errors=errors,
        categories=categories_of(errors),
        about_tokens=about_tokens(evidence, errors, texts, lang),
        with_tokens=any(row.tokens for row in errors),
        on_paper=ERRORS_ON_PAPER,
        error_count=facts.compared.errors if facts.compared else 0,
        left_out=left_out_lines(facts, lang),
        cost=cost_figures(facts, texts),
        hashes=evidence.hashes,
        notes=[say(note, lang) for note in facts.notes],
    )


def with_all_keys(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict with every key that the template names, so that a part that it lacks is left away."""
    findings = [dict.fromkeys(("status", "command"), "") | dict(finding) for finding in verdict["findings"]]
    optional = dict.fromkeys(("next_command", "could_establish", "could_not", "not_checked"))
    return {**optional, **verdict, "findings": findings}


def chart_groups(plots: list[Plot], texts: Mapping[str, str]) -> list[tuple[str, str, list[Plot]]]:
    """(anchor, title, charts): those of the training, of the results, and by group; without empty ones."""
    groups = [
        ("training", texts["charts_training"], [plot for plot in plots if plot.name in TRAINING_CHARTS]),
        ("results", texts["charts_results"], [plot for plot in plots if not is_of(plot, *TRAINING_CHARTS, "groups-")]),
        ("groups", texts["charts_groups"], [plot for plot in plots if is_of(plot, "groups-")]),
    ]
    return [group for group in groups if group[2]]


def is_of(plot: Plot, *beginnings: str) -> bool:
    """Whether a chart's name begins with one of these."""
    return plot.name.startswith(beginnings)


def readiness(verdict: Mapping[str, Any], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the model may be used for: each purpose with its reasons, or one for all where the verdict says no more."""
    by_purpose = verdict.get("ready_for") or {}
    if not by_purpose:
        state = READY[verdict["ready"]]
        return [{"name": texts["ready"], "state": state, "said": texts[state], "reasons": ()}]
    return [
        {"name": texts.get(purpose, purpose), "state": state, "said": texts[state], "reasons": reasons}
        for purpose, found in by_purpose.items()
        for state, reasons in [state_of(found)]
    ]


def state_of(found: Any) -> tuple[str, tuple[str, ...]]:
    """yes, no or unknown, and why, of an entry of `ready_for`."""
    answer = found.get("ready") if isinstance(found, Mapping) else found
    state = READY[answer] if answer is None or isinstance(answer, bool) else str(answer)
    reasons = found.get("reasons") or () if isinstance(found, Mapping) else ()
    return (state if state in READY.values() else "unknown"), tuple(map(str, reasons))


def left_out_lines(facts: Facts, lang: Language) -> list[str]:
    """What of the data was not used as it was given, by data."""
    return [say(f"{name}: {line}", lang) for name, account in facts.left_out.items() for line in account.sentences()]
