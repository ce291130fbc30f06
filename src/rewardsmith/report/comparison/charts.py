"""The charts of the comparison report: each run's accuracy, the differences, and both by category."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.diagnose.finding import short_label
from rewardsmith.report.charts.plot import Colour, LegendKey, Plot
from rewardsmith.report.charts.rows import BarRow, IntervalRow, bar_chart, interval_chart
from rewardsmith.report.comparison.runs import EvaluatedRun
from rewardsmith.report.numbers import span_of, with_span
from rewardsmith.report.text import Words

MOST_CATEGORIES = 12
"""Categories that are shown, the largest ones."""

RUN_COLOURS: tuple[Colour, ...] = ("a", "b", "d", "c")


def colour_of(number: int) -> Colour:
    """The colour of a run by its place."""
    return RUN_COLOURS[number % len(RUN_COLOURS)]


def accuracies(runs: Sequence[EvaluatedRun], texts: Words) -> Plot | None:
    """The accuracy of each run, each on all comparisons that it evaluated."""
    known = [(k, run) for k, run in enumerate(runs) if run.evaluation.get("accuracy") is not None]
    if not known:
        return None
    rows = [
        IntervalRow(
            f"{run.letter}: {short_label(run.name)}",
            run.evaluation["accuracy"],
            span_of(run.evaluation.get("accuracy_ci")),
            colour_of(k),
            with_span(run.evaluation["accuracy"], run.evaluation.get("accuracy_ci"), 3),
            f"n = {run.evaluation.get('n') or 0:,}",
        )
        for k, run in known
    ]
    picture = interval_chart(texts["compare_accuracies"], texts["axis_accuracy"], rows)
    return Plot("accuracies", texts["compare_accuracies"], picture, (), (texts["intervals_95"],))


def differences(pairs: Sequence[Mapping[str, Any]], texts: Words) -> Plot:
    """The differences in accuracy of every two runs, on the comparisons that both have."""
    rows = []
    for pair in pairs:
        span = span_of(pair["ci"])
        points = None if span is None else (100 * span[0], 100 * span[1])
        value = 100 * pair["accuracy_difference"]
        settled = points is not None and (points[0] > 0 or points[1] < 0)
        hover = f"{value:+.2f}" + (f" [{points[0]:+.2f}, {points[1]:+.2f}]" if points else "")
        label = f"{pair['a']} − {pair['b']}"
        rows.append(IntervalRow(label, value, points, "a" if settled else "c", hover, f"n = {pair['n']:,}"))
    picture = interval_chart(texts["compare_differences"], texts["compare_points"], rows, guide=0.0)
    return Plot("differences", texts["compare_differences"], picture, (), (texts["paired"], texts["intervals_95"]))


def agreement(pair: Mapping[str, Any], texts: Words) -> Plot:
    """On how many comparisons one run alone agrees with the label."""
    rows = [
        BarRow(texts["compare_only"].format(run=pair["a"]), pair["only_a"], f"{pair['only_a']:,}", "a"),
        BarRow(texts["compare_only"].format(run=pair["b"]), pair["only_b"], f"{pair['only_b']:,}", "b"),
    ]
    title = texts["compare_flipped"].format(
        a=pair["a"], b=pair["b"], flipped=f"{pair['flipped']:,}", n=f"{pair['n']:,}"
    )
    return Plot("agreement", title, bar_chart(title, rows))


def by_category(runs: Sequence[EvaluatedRun], texts: Words) -> Plot | None:
    """The accuracy of each run in each category, the runs of a category below each other."""
    shared = shared_categories(runs)
    rows = [
        category_row(runs[k], k, name, texts)
        for name in shared[:MOST_CATEGORIES]
        for k in range(len(runs))
        if runs[k].evaluation["by_category"][name].get("accuracy") is not None
    ]
    if not rows:
        return None
    keys = tuple(LegendKey(f"{run.letter}: {run.name}", colour_of(k), "dot") for k, run in enumerate(runs))
    remarks = [texts["intervals_95"], texts["compare_overlap"]]
    if len(shared) > MOST_CATEGORIES:
        remarks.append(texts["largest_groups"].format(shown=MOST_CATEGORIES, groups=len(shared)))
    picture = interval_chart(texts["compare_categories"], texts["axis_accuracy"], rows)
    return Plot("tall", texts["compare_categories"], picture, keys, tuple(remarks))


def shared_categories(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The categories that every run has, the largest of the first run first."""
    first, *others = [run.evaluation.get("by_category") or {} for run in runs]
    shared = [name for name in first if all(name in table for table in others)]
    return sorted(shared, key=lambda name: -(first[name].get("n") or 0))


def category_row(run: EvaluatedRun, place: int, name: str, texts: Words) -> IntervalRow:
    """The accuracy of one run in one category."""
    group = run.evaluation["by_category"][name]
    return IntervalRow(
        f"{short_label(texts.get(f'is_{name}', name))} · {run.letter}",
        group["accuracy"],
        span_of(group.get("accuracy_ci")),
        colour_of(place),
        with_span(group["accuracy"], group.get("accuracy_ci"), 3),
        f"n = {group.get('n') or 0:,}",
    )


def category_differences(pair: Mapping[str, Any], texts: Words) -> Plot | None:
    """The difference in each category, in another colour where its p-value, adjusted over the categories, is small."""
    known = [one for one in pair.get("by_category") or () if span_of(one.get("ci")) is not None]
    if not known:
        return None
    rows = [difference_row(one) for one in known[:MOST_CATEGORIES]]
    title = texts["compare_by_category"].format(a=pair["a"], b=pair["b"])
    picture = interval_chart(title, texts["compare_points"], rows, guide=0.0)
    return Plot("category-differences", title, picture, (), (texts["intervals_95"], texts["compare_adjusted"]))


def difference_row(found: Mapping[str, Any]) -> IntervalRow:
    """The difference of two runs in one category, in percentage points."""
    low, high = (100 * float(end) for end in found["ci"])
    value = 100 * float(found["difference"])
    p_value = found.get("p_value")
    colour: Colour = "b" if p_value is not None and p_value < 0.05 else "c"
    hover = f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    written = "" if p_value is None else f"p = {p_value:.3g}"
    return IntervalRow(short_label(str(found["category"])), value, (low, high), colour, hover, written)
