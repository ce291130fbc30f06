"""The charts of a run. Each takes Facts and the texts of one language and returns a Plot, or None without its numbers."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from rewardsmith.diagnose.compared import Numbers
from rewardsmith.diagnose.facts import CHANCE_LOSS, BaselineFacts, CurvePoint, Facts, GroupFacts, ReliabilityFacts
from rewardsmith.diagnose.finding import short_label
from rewardsmith.diagnose.intervals import wilson
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.rows import IntervalRow, interval_chart
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, legend_of, xy_chart
from rewardsmith.report.text import Words

MAX_POINTS = 250
"""Points of one line: more than a chart has pixels to show, few enough that a page stays small."""

BINS = 40
"""Bars of a histogram."""

SHOWN_SHARE = 0.99
"""Share of the values that a histogram's axis spans, so that single outliers do not squeeze the rest into one bar."""

MAX_GROUPS = 16
"""Rows of an accuracy-by-group chart that can be read; the largest groups are shown, the number of others is said."""


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


def curve_series(facts: Facts, column: str, texts: Words) -> list[Series]:
    """The training and the held-out line of one column, those that have points."""
    steps, values = finite_column(facts.curve, column)
    steps, values, _ = thin(steps, values)
    train = Series(texts["line_train"], list(zip(steps, values, strict=True)), "a")
    held = list(zip(*finite_column(facts.passes, column), strict=True))
    held_out = Series(texts["line_held_out"], held, "b", "dots")
    return [one for one in (train, held_out) if one.points]


def thinned(facts: Facts, texts: Words) -> tuple[str, ...]:
    """The remark that a line shows means, where it does."""
    block = math.ceil(len(facts.curve) / MAX_POINTS)
    return (texts["means_of"].format(rows=block),) if block > 1 else ()


def loss_curve(facts: Facts, texts: Words) -> Plot | None:
    """Training and held-out loss over the steps, with ln 2."""
    series = curve_series(facts, "loss", texts)
    if not series:
        return None
    guides = [GuideLine(texts["line_chance"], "c", y=CHANCE_LOSS)]
    values = [y for one in series for _, y in one.points]
    top = max(CHANCE_LOSS, float(np.quantile(values, 0.995)) * 1.02)
    beyond = sum(value > top for value in values)
    frame = Frame(texts["axis_step"], texts["axis_loss"], y_ends=(min(*values, CHANCE_LOSS) * 0.95, top))
    remarks = thinned(facts, texts)
    if beyond:
        remarks += (texts["outside"].format(count=f"{beyond:,}", total=f"{len(values):,}"),)
    picture = xy_chart(texts["plot_loss"], frame, series, guides)
    return Plot("loss", texts["plot_loss"], picture, legend_of(series, guides), remarks)


def accuracy_curve(facts: Facts, texts: Words) -> Plot | None:
    """Training and held-out accuracy over the steps, with the best baseline and the final accuracy."""
    series = curve_series(facts, "accuracy", texts)
    if not series:
        return None
    guides = accuracy_guides(facts, texts)
    values = [y for one in series for _, y in one.points] + [guide.y or 0.0 for guide in guides]
    ends = (min(0.4, *values), max(0.8, *values))
    frame = Frame(texts["axis_step"], texts["axis_accuracy"], y_ends=ends)
    picture = xy_chart(texts["plot_accuracy"], frame, series, guides)
    return Plot("accuracy", texts["plot_accuracy"], picture, legend_of(series, guides), thinned(facts, texts))


def accuracy_guides(facts: Facts, texts: Words) -> list[GuideLine]:
    """The strongest baseline, else chance, and the accuracy on the test split."""
    known = [one for one in facts.baselines if one.accuracy is not None]
    guides = [GuideLine(texts["line_coin"], "c", y=0.5)]
    if known:
        best = max(known, key=lambda one: one.accuracy or 0.0)
        name = texts.get(f"baseline_{best.rule}", best.name)
        guides = [GuideLine(texts["line_best_baseline"].format(name=name), "c", y=best.accuracy)]
    if facts.split == "test" and facts.accuracy is not None:
        guides.append(GuideLine(texts["line_test"], "d", y=facts.accuracy, mark="dashed"))
    return guides


def shown_range(values: Numbers) -> tuple[float, float]:
    """The axis: the middle SHOWN_SHARE of the values; never empty."""
    low, high = np.quantile(values, [(1 - SHOWN_SHARE) / 2, (1 + SHOWN_SHARE) / 2])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)


def outside(values: Numbers, low: float, high: float, texts: Words) -> tuple[str, ...]:
    """The remark that values lie outside the axis, where some do."""
    count = int(((values < low) | (values > high)).sum())
    return (texts["outside"].format(count=f"{count:,}", total=f"{values.size:,}"),) if count else ()


def bars(label: str, colour: Colour, values: Numbers, edges: Numbers) -> Series:
    """A histogram of the finite values."""
    heights, _ = np.histogram(values[np.isfinite(values)], edges)
    points = [(float(left), float(height)) for left, height in zip(edges[:-1], heights, strict=True)]
    return Series(label, points, colour, "steps", rights=edges[1:].tolist())


def reward_histogram(facts: Facts, texts: Words) -> Plot | None:
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
    edges = np.linspace(low, high, BINS + 1)
    series = [bars(texts["line_other"], "b", other, edges), bars(texts["line_preferred"], "a", preferred, edges)]
    frame = Frame(texts["axis_reward"], texts["axis_count"], x_ends=(low, high))
    picture = xy_chart(texts["plot_rewards"], frame, series)
    remarks = (texts["count_of"].format(n=f"{int(decided.sum()):,}"), *outside(every, low, high, texts))
    return Plot("rewards", texts["plot_rewards"], picture, legend_of(series), remarks)


def margin_histogram(facts: Facts, texts: Words) -> Plot | None:
    """The margins, wrong ones in another colour."""
    if facts.compared is None:
        return None
    margins = facts.compared.margin[facts.compared.decided]
    margins = margins[np.isfinite(margins)]
    if not margins.size:
        return None
    low, high = shown_range(margins)
    edges = np.linspace(low, high, BINS + 1)
    if low < 0 < high:
        # A bar that holds both signs would be coloured wrongly: an edge lies on zero, and the others follow it.
        edges -= edges[np.argmin(np.abs(edges))]
    zero = int(np.argmin(np.abs(edges)))
    series = [
        bars(texts["line_wrong"], "b", margins[margins < 0], edges[: zero + 1]),
        bars(texts["line_right"], "a", margins[margins >= 0], edges[zero:]),
    ]
    series = [one for one in series if one.points]
    guides = [GuideLine("", "c", x=0.0)] if low < 0 < high else []
    frame = Frame(texts["axis_margin"], texts["axis_count"], x_ends=(float(edges[0]), float(edges[-1])))
    picture = xy_chart(texts["plot_margins"], frame, series, guides)
    remarks = (texts["count_of"].format(n=f"{margins.size:,}"), *outside(margins, edges[0], edges[-1], texts))
    return Plot("margins", texts["plot_margins"], picture, legend_of(series), remarks)


def reliability_diagram(facts: Facts, texts: Words) -> Plot | None:
    """Share correct against confidence, before and after the temperature, with intervals."""
    kinds: tuple[tuple[Sequence[ReliabilityFacts], Colour, str], ...] = (
        (facts.reliability, "b", "line_raw"),
        (facts.reliability_calibrated, "a", "line_calibrated"),
    )
    series = [reliability_series(bins, texts[label], colour) for bins, colour, label in kinds if bins]
    if not series:
        return None
    lowest = min(0.5, *(low for one in series for low, _ in one.spans))
    guides = [GuideLine(texts["line_ideal"], "c")]
    frame = Frame(texts["axis_confidence"], texts["axis_accuracy"], x_ends=(0.5, 1.0), y_ends=(lowest, 1.0))
    picture = xy_chart(texts["plot_reliability"], frame, series, guides)
    n = sum(b.n for b in facts.reliability or facts.reliability_calibrated)
    remarks = (texts["count_of"].format(n=f"{n:,}"), texts["intervals_95"])
    return Plot("reliability", texts["plot_reliability"], picture, legend_of(series, guides), remarks)


def reliability_series(bins: Sequence[ReliabilityFacts], label: str, colour: Colour) -> Series:
    """Points with 95 % error bars."""
    spans = [b.interval or wilson(b.accuracy, b.n) for b in bins]
    return Series(
        label,
        [(b.confidence, b.accuracy) for b in bins],
        colour,
        "dots",
        spans=[(span.low, span.high) for span in spans],
        hovers=[
            f"{label}: {b.accuracy:.3f} [{span.low:.3f}, {span.high:.3f}], n = {b.n:,}"
            for b, span in zip(bins, spans, strict=True)
        ],
    )


def group_plot(
    name: str, title: str, groups: Sequence[GroupFacts], texts: Words, overall: float | None = None
) -> Plot | None:
    """Accuracy per group with intervals, one row each, in the order given; of more than MAX_GROUPS the largest."""
    if not groups:
        return None
    chosen = largest_groups(groups)
    rows = [group_row(group, texts) for group in chosen]
    low = min(0.5, *(end for row in rows for end in row.span or (row.value,)))
    picture = interval_chart(
        title, texts["axis_accuracy"], rows, guide=0.5 if overall is None else overall, ends=(low, 1)
    )
    guide = texts["guide_chance"] if overall is None else texts["guide_overall"].format(value=f"{overall:.3f}")
    remarks: tuple[str, ...] = (texts["intervals_95"], guide)
    if len(chosen) < len(groups):
        remarks += (texts["largest_groups"].format(shown=len(chosen), groups=f"{len(groups):,}"),)
    return Plot(name, title, picture, (), remarks)


def largest_groups(groups: Sequence[GroupFacts]) -> list[GroupFacts]:
    """The MAX_GROUPS largest, in the order given."""
    largest = sorted(groups, key=lambda group: -group.n)[:MAX_GROUPS]
    return [group for group in groups if group in largest]


def group_row(group: GroupFacts, texts: Words) -> IntervalRow:
    """A group with its interval and n; one whose whole interval lies below chance in another colour."""
    span = group.interval or wilson(group.accuracy, group.n)
    label = short_label(texts.get(f"is_{group.label}", group.label))
    hover = f"{group.accuracy:.3f} [{span.low:.3f}, {span.high:.3f}]"
    colour: Colour = "b" if span.high < 0.5 else "a"
    return IntervalRow(label, group.accuracy, (span.low, span.high), colour, hover, f"n = {group.n:,}")


def group_plots(facts: Facts, texts: Words) -> list[Plot]:
    """Accuracy by category and by each difficulty that has two groups or more: one group is all comparisons."""
    parts = {"category": facts.by_category, **facts.by_difficulty}
    tables = {name: groups for name, groups in parts.items() if len(groups) > 1}
    plots = [
        group_plot(
            f"groups-{number}",
            texts["plot_difficulty"].format(name=texts.get(f"by_{name}", name.replace("_", " "))),
            groups,
            texts,
            facts.accuracy,
        )
        for number, (name, groups) in enumerate(tables.items())
    ]
    return [plot for plot in plots if plot is not None]


def baseline_plot(facts: Facts, texts: Words) -> Plot | None:
    """How far the model is ahead of each baseline, paired on the same comparisons."""
    known = [one for one in facts.baselines if one.difference is not None]
    if not known:
        return None
    rows = [baseline_row(one, texts) for one in known]
    picture = interval_chart(texts["plot_baselines"], texts["axis_lead"], rows, guide=0.0)
    return Plot(
        "baselines",
        texts["plot_baselines"],
        picture,
        (),
        (texts["paired"], texts["baseline_column"], texts["intervals_95"]),
    )


def baseline_row(baseline: BaselineFacts, texts: Words) -> IntervalRow:
    """The lead over a baseline in percentage points; in another colour where the interval reaches down to none."""
    spread, lead = baseline.difference_interval, 100 * (baseline.difference or 0.0)
    span = None if spread is None else (100 * spread.low, 100 * spread.high)
    hover = f"{lead:+.1f}" + (f" [{span[0]:+.1f}, {span[1]:+.1f}]" if span else "")
    colour: Colour = "b" if span is not None and span[0] <= 0 else "a"
    written = "" if baseline.accuracy is None else f"{baseline.accuracy:.3f}"
    return IntervalRow(texts.get(f"baseline_{baseline.rule}", baseline.name), lead, span, colour, hover, written)


PLOTS: tuple[Callable[[Facts, Words], Plot | None], ...] = (
    loss_curve,
    accuracy_curve,
    baseline_plot,
    reward_histogram,
    margin_histogram,
    reliability_diagram,
)


def all_plots(facts: Facts, texts: Words) -> list[Plot]:
    """Every chart whose numbers are there, in the order of the page."""
    drawn = [plot for plot in (paint(facts, texts) for paint in PLOTS) if plot is not None]
    return [*drawn, *group_plots(facts, texts)]
