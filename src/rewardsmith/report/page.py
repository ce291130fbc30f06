"""The report as one HTML file: opens offline, asks for nothing, and shows hostile texts as texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.diagnose.compared import Mistake
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Verdict, percent, span
from rewardsmith.language import Language, say
from rewardsmith.report.plots import all_plots
from rewardsmith.report.safety import content_policy
from rewardsmith.report.templating import read_template, render
from rewardsmith.report.text import TEXTS

SHOWN_CHARACTERS = 1500
"""Characters of one text in the table of errors: about a screen; the cell says how many more there are."""

ERRORS_ON_PAPER = 10
"""Rows of the table of errors that are printed; the page says how many more there are."""

SHARES = ("accuracy", "tie_rate")
COUNTS = ("n", "clusters", "label_ties", "train_pairs", "steps", "best_step")
DECIMALS = ("loss", "loss_at_chance", "train_loss", "auc", "brier", "ece", "ece_noise_floor", "ece_calibrated")
FIGURES = (
    *(
        "split",
        "n",
        "clusters",
        "label_ties",
        "accuracy",
        "loss",
        "loss_at_chance",
        "train_loss",
        "auc",
        "brier",
        "ece",
    ),
    *("ece_noise_floor", "ece_calibrated", "temperature", "kendall_tau", "tie_rate", "train_pairs", "epochs", "steps"),
    "best_step",
)
"""Order of the figures on the page."""

MEMORY = ("peak_process_bytes", "peak_gpu_bytes")
TRAINING = ("pairs_per_second", "seconds", "device", "dtype", "parameters", "trainable_parameters", *MEMORY)
"""Figures of train.json that a person asks for, shown as they are."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """A row of the table of errors, its texts cut for the screen."""

    mistake: Mistake
    prompt: str
    preferred: str
    other: str


def shown_figures(facts: Facts, texts: dict[str, str]) -> list[tuple[str, str]]:
    """(name, value) of the figures that are known, ready to read."""
    numbers = facts.numbers()
    rows = [(texts[name], readable(name, numbers[name])) for name in FIGURES if numbers.get(name) is not None]
    if facts.kendall_tau is not None:
        place = [name for name, _ in rows].index(texts["kendall_tau"])
        rows[place] = (texts["kendall_tau"], f"{rows[place][1]} ({rankings(facts, texts)})")
    if facts.interval is not None:
        place = next((i for i, row in enumerate(rows) if row[0] == texts["accuracy"]), -1) + 1
        rows.insert(place, (texts["interval"], span(facts.interval.low, facts.interval.high)))
    return rows + figures_of_training(facts, texts)


def figures_of_training(facts: Facts, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """(name, value) of the figures of train.json that the page shows."""
    known = [(name, facts.training.get(name)) for name in TRAINING]
    return [(texts[name], readable(name, value)) for name, value in known if value is not None]


def rankings(facts: Facts, texts: Mapping[str, str]) -> str:
    """How many rankings Kendall's tau is the mean of."""
    return texts["rankings"].format(n="?" if facts.kendall_tau_n is None else f"{facts.kendall_tau_n:,}")


def readable(name: str, value: Any) -> str:
    """A figure as a person reads it: shares in percent, counts with separators, losses with four decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name in SHARES:
        return percent(value)
    if name in MEMORY:
        return f"{value / 2**30:.2f} GiB"
    if name in DECIMALS:
        return f"{value:.4f}"
    return f"{value:,.0f}" if name in COUNTS or isinstance(value, int) else f"{value:,.3g}"


def clipped(text: str, texts: dict[str, str]) -> str:
    """A text of at most SHOWN_CHARACTERS, followed by how much is left out."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[:SHOWN_CHARACTERS] + texts["cut"].format(left=f"{len(text) - SHOWN_CHARACTERS:,}")


def error_rows(facts: Facts, texts: dict[str, str]) -> list[ErrorRow]:
    """The worst errors, worst first."""
    worst = facts.compared.worst if facts.compared else ()
    return [ErrorRow(m, *(clipped(text, texts) for text in (m.prompt, m.preferred, m.other))) for m in worst]


def render_page(verdict: Verdict, facts: Facts, *, lang: Language = "en") -> str:
    """The whole page as HTML text."""
    from markupsafe import Markup

    texts = TEXTS[lang]
    script, style = read_template("table.js"), read_template("page.css")
    return render(
        "page.html",
        language="zh-Hans" if lang == "zh" else "en",
        t=texts,
        name=facts.name,
        label=verdict.label,
        verdict=verdict.to_json(lang),
        readiness=texts[{True: "yes", False: "no", None: "unknown"}[verdict.ready]],
        figures=shown_figures(facts, texts),
        # Drawn by matplotlib, which escapes its texts as XML; the only markup that is not escaped here.
        plots=[(plot, Markup(plot.svg)) for plot in all_plots(facts, texts)],
        errors=error_rows(facts, texts),
        on_paper=ERRORS_ON_PAPER,
        error_count=facts.compared.errors if facts.compared else 0,
        notes=[say(note, lang) for note in facts.notes],
        policy=content_policy(script, style),
        script=Markup(script),
        style=Markup(style),
    )
