"""A search as a page: what came out, its history, which settings mattered, and every trial."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.evaluate.paired import LEVEL
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.rows import BarRow, IntervalRow, bar_chart, interval_chart
from rewardsmith.report.charts.xy import Frame, Series, legend_of, xy_chart
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.text import Words

TrialRow = Mapping[str, Any]


def headline(summary: Mapping[str, Any], texts: Words) -> str:
    """Whether the best settings beat the defaults on the test split; the best trial where that was not measured."""
    found = summary["difference"]
    if found is None:
        name = "tune_defaults_best" if summary["best"]["number"] == 0 else "tune_best"
        return texts[name].format(number=summary["best"]["number"])
    points = f"{100 * found['difference']:+.1f}"
    if not found["p_value"] < LEVEL:
        return texts["tune_no_difference"].format(points=points)
    return texts["tune_better" if found["difference"] > 0 else "tune_worse"].format(points=points)


def sentences(summary: Mapping[str, Any], texts: Words) -> list[str]:
    """The figure of the best trial, what of it is selection, and the test split."""
    best, counts = summary["best"], summary["trials"]
    said = [
        texts["tune_counts"].format(**counts),
        texts["tune_figures"].format(
            number=best["number"], loss=number(best["loss"], 4), accuracy=number(best["accuracy"], 4)
        ),
    ]
    if found := summary["selection"]:
        known = texts["tune_more" if found["p_value"] < LEVEL else "tune_not_more"]
        said.append(
            texts["tune_selection"].format(
                models=found["models"], gap=f"{found['gap']:.4f}", expected=f"{found['expected']:.4f}",
                p=f"{found['p_value']:.3g}", known=known,
            )
        )  # fmt: skip
    if found := summary["difference"]:
        low, high = (f"{100 * end:+.2f}" for end in found["ci"])
        said.append(
            texts["tune_test"].format(
                points=f"{100 * found['difference']:+.2f}", low=low, high=high, p=f"{found['p_value']:.3g}",
                n=f"{found['n']:,}", test=texts.get(f"test_{found['test']}", found["test"]),
            )
        )  # fmt: skip
    return [*said, texts["tune_again"].format(file=summary["best_yaml"])]


def blocks(summary: Mapping[str, Any], trials: Sequence[TrialRow], texts: Words) -> list[PageBlock]:
    """The sections: results, history, importance, each setting, all trials."""
    found = [on_test(summary, texts), history(summary, trials, texts), importance(summary, texts)]
    return [*(one for one in found if one is not None), settings(summary, trials, texts), table(summary, trials, texts)]


def on_test(summary: Mapping[str, Any], texts: Words) -> PageBlock | None:
    """The accuracy of the best settings and of the defaults on the test split."""
    measured = [(name, summary[name]) for name in ("test", "defaults") if summary[name] is not None]
    if not measured:
        return None
    rows = [
        IntervalRow(
            texts[f"tune_on_{name}"], one["accuracy"], span_of(one["accuracy_ci"]), "a" if name == "test" else "c",
            with_span(one["accuracy"], one["accuracy_ci"], 3), f"n = {one['n'] or 0:,}",
        )
        for name, one in measured
    ]  # fmt: skip
    picture = interval_chart(texts["tune_results"], texts["axis_accuracy"], rows)
    plot = Plot("accuracies", texts["tune_results"], picture, (), (texts["intervals_95"],))
    return PageBlock("results", texts["tune_results"], plots=[plot], remarks=[texts["tune_once"]])


def history(summary: Mapping[str, Any], trials: Sequence[TrialRow], texts: Words) -> PageBlock | None:
    """The value of every trial in order, and the best so far."""
    metric = summary["metric"]
    done, stopped = (points(trials, metric, state) for state in ("complete", "pruned"))
    if not done:
        return None
    choose = max if metric == "accuracy" else min
    best = [(number, choose(value for _, value in done[: k + 1])) for k, (number, _) in enumerate(done)]
    series = [
        Series(texts["tune_complete"], done, "a", "dots", hovers=hovers(trials, "complete", metric)),
        Series(texts["tune_pruned"], stopped, "b", "dots", hovers=hovers(trials, "pruned", metric)),
        Series(texts["tune_best_so_far"], best, "d"),
    ]
    series = [one for one in series if one.points]
    frame = Frame(texts["tune_trial"], texts[f"tune_{metric}"])
    picture = xy_chart(texts["tune_history"], frame, series)
    plot = Plot("loss", texts["tune_history"], picture, legend_of(series))
    return PageBlock("history", texts["tune_history"], plots=[plot])


def points(trials: Sequence[TrialRow], metric: str, state: str) -> list[tuple[float, float]]:
    """Number and value of the trials in one state."""
    return [(t["number"], t[metric]) for t in trials if t["state"] == state and t[metric] is not None]


def hovers(trials: Sequence[TrialRow], state: str, metric: str) -> list[str]:
    """What is shown under the pointer at each of these points."""
    return [
        f"{t['number']}: {t[metric]:.4f}\n" + "\n".join(f"{key} = {word(value)}" for key, value in t["values"].items())
        for t in trials
        if t["state"] == state and t[metric] is not None
    ]


def word(value: Any) -> str:
    """A value of a setting."""
    if isinstance(value, list):
        return "+".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def importance(summary: Mapping[str, Any], texts: Words) -> PageBlock | None:
    """Bars of the settings' shares in the variance."""
    found = summary["importance"]
    if not found:
        return None
    rows = [BarRow(key, value, f"{value:.2f}") for key, value in found.items()]
    plot = Plot("importance", texts["tune_importance"], bar_chart(texts["tune_importance"], rows))
    remark = texts["tune_fanova"].format(trials=summary["trials"]["complete"])
    return PageBlock("importance", texts["tune_importance"], plots=[plot], remarks=[remark])


def settings(summary: Mapping[str, Any], trials: Sequence[TrialRow], texts: Words) -> PageBlock:
    """Value against each setting that is a number; of the others, the values one below the other."""
    metric = summary["metric"]
    plots = [
        plot for key, how in summary["space"].items() if (plot := against(key, how, trials, metric, texts)) is not None
    ]
    return PageBlock("settings", texts["tune_settings"], plots=plots)


def against(key: str, how: Any, trials: Sequence[TrialRow], metric: str, texts: Words) -> Plot | None:
    """The value of trials against one setting, a logarithm where it is drawn so."""
    logarithm = isinstance(how, Mapping) and how["log"]
    series = []
    colours: Mapping[str, Colour] = {"complete": "a", "pruned": "b"}
    for state, colour in colours.items():
        places = places_of([t for t in trials if t["state"] == state], key, metric, logarithm)
        if places:
            series.append(Series(texts[f"tune_{state}"], places, colour, "dots"))
    if not series:
        return None
    title = texts["tune_logarithm"].format(name=key) if logarithm else key
    frame = Frame(title, texts[f"tune_{metric}"])
    return Plot("setting", key, xy_chart(key, frame, series), legend_of(series))


def places_of(trials: Sequence[TrialRow], key: str, metric: str, logarithm: bool) -> list[tuple[float, float]]:
    """(value of the setting, value of the trial) of the trials that have both as numbers, in order."""
    numbers = (int, float)
    return sorted(
        (across(t["values"][key], logarithm), t[metric])
        for t in trials
        if isinstance(t["values"].get(key), numbers) and t[metric] is not None
    )


def across(value: float, logarithm: bool) -> float:
    """Where a value lies on the axis."""
    return math.log10(value) if logarithm else float(value)


def table(summary: Mapping[str, Any], trials: Sequence[TrialRow], texts: Words) -> PageBlock:
    """Every trial, failed ones with their reason."""
    keys = list(summary["space"])
    heads = (
        texts["tune_trial"],
        texts["tune_state"],
        texts["tune_loss"],
        texts["tune_accuracy"],
        *keys,
        texts["tune_reason"],
    )
    rows = [
        (
            str(t["number"]),
            texts[f"tune_{t['state']}"],
            number(t["loss"], 4),
            number(t["accuracy"], 4),
            *("–" if key not in t["values"] else word(t["values"][key]) for key in keys),
            t["reason"],
        )
        for t in sorted(trials, key=lambda one: one["number"])
    ]
    listed = CellTable(heads, rows, (0, 2, 3))
    return PageBlock("trials", texts["tune_all"], tables=[listed])
