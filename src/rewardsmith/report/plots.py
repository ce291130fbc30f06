"""Plots as inline SVG: texts stay texts, colours are CSS variables of the page, nothing is fetched.

A plot function takes Facts and the texts of one language and returns a Plot, or None where its numbers are missing.
"""

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from rewardsmith.diagnose.compared import Numbers
from rewardsmith.diagnose.facts import CHANCE_LOSS, CurvePoint, Facts, GroupFacts, ReliabilityFacts
from rewardsmith.diagnose.finding import short_label
from rewardsmith.diagnose.intervals import wilson

MAX_POINTS = 500
"""Points of one line: more than a plot has pixels to show, few enough that a page stays small."""

BINS = 40
"""Bars of a histogram."""

SHOWN_SHARE = 0.99
"""Share of the values that a histogram's axis spans, so that single outliers do not squeeze the rest into one bar."""

MAX_GROUPS = 12
"""Rows of an accuracy-by-group plot that can be read; the largest groups are shown, the number of others is said."""

COLOURS = {"ink": "#010101", "grid": "#020202", "a": "#030303", "b": "#040404", "c": "#050505", "d": "#060606"}
"""Stand-ins that are replaced by `var(--name)` after drawing: matplotlib does not know CSS variables."""

PlotTexts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plot:
    """A title, the SVG element, and what its reader must know (thinned curves, values outside the axis)."""

    name: str
    title: str
    svg: str
    remarks: tuple[str, ...] = ()


def draw(name: str, paint: Callable[[Any], None], *, height: float = 3.0) -> str:
    """An SVG element of 5.2 x `height` inches; the same picture gives the same bytes.

    Chinese texts are measured with matplotlib's stand-in glyph, which is a little wider than the one em that they take
    in the browser's font; so its warning about missing glyphs is of no concern here.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings = {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 10, "font.family": "DejaVu Sans"}
    settings |= {"text.parse_math": False}
    settings |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), COLOURS["ink"])
    settings |= {"axes.edgecolor": COLOURS["grid"], "grid.color": COLOURS["grid"], "grid.linewidth": 0.4}
    settings |= {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True}
    settings |= {"legend.frameon": False, "legend.fontsize": 9}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(5.2, height), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        paint(axes)
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return inline(buffer.getvalue())


def inline(document: str) -> str:
    """The <svg> element of a matplotlib file without metadata, size and group ids, in the page's fonts and colours."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", svg)
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg.strip()


def thin(steps: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float], int]:
    """At most MAX_POINTS points, each the mean of a block of rows; also the rows per block (1: untouched)."""
    block = math.ceil(len(steps) / MAX_POINTS) or 1
    starts = range(0, len(steps), block)
    means = [sum(values[s : s + block]) / len(values[s : s + block]) for s in starts]
    ends = [steps[min(s + block, len(steps)) - 1] for s in starts]
    return ends, means, block


def finite_column(rows: Sequence[CurvePoint], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of a curve's column where it holds finite numbers."""
    pairs = [(float(row.step), getattr(row, name)) for row in rows]
    pairs = [(step, value) for step, value in pairs if value is not None and math.isfinite(value)]
    return [step for step, _ in pairs], [value for _, value in pairs]


def curve_lines(axes: Any, facts: Facts, column: str, texts: PlotTexts) -> None:
    """The training and the held-out line of one column."""
    steps, values = finite_column(facts.curve, column)
    if steps:
        steps, values, _ = thin(steps, values)
        axes.plot(steps, values, color=COLOURS["a"], linewidth=1, label=texts["line_train"])
    steps, values = finite_column(facts.passes, column)
    if steps:
        steps, values, _ = thin(steps, values)
        axes.plot(steps, values, color=COLOURS["b"], linewidth=1.5, marker="o", ms=3, label=texts["line_held_out"])
    axes.set_xlabel(texts["axis_step"])
    axes.set_ylabel(texts[f"axis_{column}"])


def thinned(facts: Facts, texts: PlotTexts) -> tuple[str, ...]:
    """The remark that a line shows means, where it does."""
    block = math.ceil(len(facts.curve) / MAX_POINTS)
    return (texts["means_of"].format(rows=block),) if block > 1 else ()


def below(axes: Any, columns: int = 3) -> None:
    """A legend under the plot, where it hides nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns)


def loss_curve(facts: Facts, texts: PlotTexts) -> Plot | None:
    """Training and held-out loss over the steps, with ln 2."""
    if not finite_column(facts.curve, "loss")[0] and not finite_column(facts.passes, "loss")[0]:
        return None

    def paint(axes: Any) -> None:
        curve_lines(axes, facts, "loss", texts)
        axes.axhline(CHANCE_LOSS, color=COLOURS["ink"], linewidth=1, linestyle=":", label=texts["line_chance"])
        below(axes)

    return Plot("loss", texts["plot_loss"], draw("loss", paint), thinned(facts, texts))


def accuracy_curve(facts: Facts, texts: PlotTexts) -> Plot | None:
    """Training and held-out accuracy over the steps, with the baselines and the final accuracy."""
    if not finite_column(facts.curve, "accuracy")[0] and not finite_column(facts.passes, "accuracy")[0]:
        return None

    def paint(axes: Any) -> None:
        curve_lines(axes, facts, "accuracy", texts)
        for baseline, style in zip(facts.baselines, ("--", "-.", ":") * len(facts.baselines), strict=False):
            if baseline.accuracy is not None:
                label = texts.get(f"baseline_{baseline.rule}", baseline.name)
                axes.axhline(baseline.accuracy, color=COLOURS["c"], linewidth=1, linestyle=style, label=label)
        if not facts.baselines:
            axes.axhline(0.5, color=COLOURS["ink"], linewidth=1, linestyle=":", label=texts["line_coin"])
        if facts.split == "test" and facts.accuracy is not None:
            axes.axhline(facts.accuracy, color=COLOURS["d"], linewidth=1.5, label=texts["line_test"])
        axes.set_ylim(min(0.4, axes.get_ylim()[0]), max(0.8, min(1.02, axes.get_ylim()[1])))
        below(axes)

    return Plot("accuracy", texts["plot_accuracy"], draw("accuracy", paint), thinned(facts, texts))


def shown_range(values: Numbers) -> tuple[float, float]:
    """The axis: the middle SHOWN_SHARE of the values; never empty."""
    low, high = np.quantile(values, [(1 - SHOWN_SHARE) / 2, (1 + SHOWN_SHARE) / 2])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)


def outside(values: Numbers, low: float, high: float, texts: PlotTexts) -> tuple[str, ...]:
    """The remark that values lie outside the axis, where some do."""
    count = int(((values < low) | (values > high)).sum())
    return (texts["outside"].format(count=f"{count:,}", total=f"{values.size:,}"),) if count else ()


def reward_histogram(facts: Facts, texts: PlotTexts) -> Plot | None:
    """How the rewards of preferred and other responses are spread."""
    if facts.compared is None:
        return None
    decided = facts.compared.decided
    preferred, other = facts.compared.preferred_reward[decided], facts.compared.other_reward[decided]
    every = np.concatenate([preferred, other])
    every = every[np.isfinite(every)]
    if not every.size:
        return None
    low, high = shown_range(every)

    def paint(axes: Any) -> None:
        edges = np.linspace(low, high, BINS + 1)
        for values, colour, label in ((preferred, "a", "line_preferred"), (other, "b", "line_other")):
            heights, _ = np.histogram(values[np.isfinite(values)], edges)
            axes.stairs(heights, edges, fill=True, color=COLOURS[colour], alpha=0.3)
            axes.stairs(heights, edges, color=COLOURS[colour], label=texts[label])
        axes.set_xlabel(texts["axis_reward"])
        axes.set_ylabel(texts["axis_count"])
        below(axes)

    return Plot("rewards", texts["plot_rewards"], draw("rewards", paint), outside(every, low, high, texts))


def margin_histogram(facts: Facts, texts: PlotTexts) -> Plot | None:
    """The margins, wrong ones in another colour."""
    if facts.compared is None:
        return None
    margins = facts.compared.margin[facts.compared.decided]
    margins = margins[np.isfinite(margins)]
    if not margins.size:
        return None
    low, high = shown_range(margins)

    def paint(axes: Any) -> None:
        edges = np.linspace(low, high, BINS + 1)
        if low < 0 < high:
            # A bin that holds both signs would be coloured wrongly: put an edge on zero.
            edges[np.argmin(np.abs(edges))] = 0.0
        for values, colour, label in (
            (margins[margins < 0], "b", "line_wrong"),
            (margins[margins >= 0], "a", "line_right"),
        ):
            heights, _ = np.histogram(values, edges)
            axes.stairs(heights, edges, fill=True, color=COLOURS[colour], alpha=0.75, label=texts[label])
        axes.set_xlabel(texts["axis_margin"])
        axes.set_ylabel(texts["axis_count"])
        below(axes)

    return Plot("margins", texts["plot_margins"], draw("margins", paint), outside(margins, low, high, texts))


def reliability_diagram(facts: Facts, texts: PlotTexts) -> Plot | None:
    """Share correct against confidence, before and after the temperature, with intervals."""
    if not facts.reliability and not facts.reliability_calibrated:
        return None

    def paint(axes: Any) -> None:
        axes.plot([0.5, 1], [0.5, 1], color=COLOURS["ink"], linewidth=1, linestyle=":", label=texts["line_ideal"])
        for bins, colour, label in (
            (facts.reliability, "b", "line_raw"),
            (facts.reliability_calibrated, "a", "line_calibrated"),
        ):
            if bins:
                with_intervals(axes, bins, COLOURS[colour], texts[label])
        axes.set_xlabel(texts["axis_confidence"])
        axes.set_ylabel(texts["axis_accuracy"])
        below(axes)

    return Plot("reliability", texts["plot_reliability"], draw("reliability", paint))


def with_intervals(axes: Any, bins: Sequence[ReliabilityFacts], colour: str, label: str) -> None:
    """Points with 95 % error bars."""
    spans = [b.interval or wilson(b.accuracy, b.n) for b in bins]
    bars = [
        [max(0.0, b.accuracy - s.low) for b, s in zip(bins, spans, strict=True)],
        [max(0.0, s.high - b.accuracy) for b, s in zip(bins, spans, strict=True)],
    ]
    places = [b.confidence for b in bins]
    heights = [b.accuracy for b in bins]
    axes.errorbar(places, heights, bars, color=colour, fmt="o-", ms=3, linewidth=1, elinewidth=0.7, label=label)


def group_plot(name: str, title: str, groups: Sequence[GroupFacts], texts: PlotTexts) -> Plot | None:
    """Accuracy per group with intervals, one row each, in the order given; of more than MAX_GROUPS the largest."""
    if not groups:
        return None
    largest = sorted(groups, key=lambda group: -group.n)[:MAX_GROUPS]
    chosen = [group for group in groups if group in largest]
    spans = [group.interval or wilson(group.accuracy, group.n) for group in chosen]

    def paint(axes: Any) -> None:
        for row, (group, span) in enumerate(zip(chosen, spans, strict=True)):
            axes.plot([span.low, span.high], [row, row], color=COLOURS["a"], linewidth=2, solid_capstyle="butt")
            axes.plot([group.accuracy], [row], color=COLOURS["a"], marker="o", ms=5)
        axes.axvline(0.5, color=COLOURS["ink"], linewidth=1, linestyle=":")
        names = [texts.get(f"is_{group.label}", group.label) for group in chosen]
        labels = [f"{short_label(name)} (n = {group.n:,})" for name, group in zip(names, chosen, strict=True)]
        axes.set_yticks(range(len(chosen)), labels)
        axes.set_ylim(len(chosen) - 0.5, -0.5)
        axes.set_xlabel(texts["axis_accuracy"])

    remark = (f"{len(chosen)} / {len(groups)}",) if len(chosen) < len(groups) else ()
    return Plot(name, title, draw(name, paint, height=1 + 0.3 * len(chosen)), remark)


def group_plots(facts: Facts, texts: PlotTexts) -> list[Plot]:
    """Accuracy by each difficulty and by category."""
    tables = {**facts.by_difficulty, "category": facts.by_category}
    plots = [
        group_plot(
            f"groups-{number}",
            texts["plot_difficulty"].format(name=texts.get(f"by_{name}", name.replace("_", " "))),
            groups,
            texts,
        )
        for number, (name, groups) in enumerate(tables.items())
    ]
    return [plot for plot in plots if plot is not None]


PLOTS: tuple[Callable[[Facts, PlotTexts], Plot | None], ...] = (
    loss_curve,
    accuracy_curve,
    reward_histogram,
    margin_histogram,
    reliability_diagram,
)


def all_plots(facts: Facts, texts: PlotTexts) -> list[Plot]:
    """Every plot whose numbers are there, in the order of the page."""
    drawn = [plot for plot in (paint(facts, texts) for paint in PLOTS) if plot is not None]
    return [*drawn, *group_plots(facts, texts)]
