"""A bench of reward models under optimisation as a page: gold against proxy over the distance, and every signal by step."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.files import write_text
from rewardsmith.language import Language
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.xy import Frame, Series, legend_of, xy_chart
from rewardsmith.report.numbers import number
from rewardsmith.report.text import TEXTS, Words
from rewardsmith.report.tuning.writing import rendered

SMOOTHED = 8
"""Steps that are averaged in the plots."""
SIGNALS = ("kl", "length", "entropy", "agreement", "disagreement", "beyond", "distance", "multiplier")
COLOURS: tuple[Colour, ...] = ("a", "b", "d")

BenchRun = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]
"""The summary of a run and the rows of its log."""


def write_policy_bench(summary: Mapping[str, Any], runs: Sequence[BenchRun], folder: Path, *, lang: Language) -> None:
    """The page: `summary` is what `policy_bench.json` holds."""
    texts = TEXTS[lang]
    page = rendered(
        texts["bench_title"], headline(summary, texts), [texts["bench_how"], texts["bench_definition"]],
        list(blocks(summary, runs, texts)), texts, lang,
    )  # fmt: skip
    write_text(folder / "report.html", page)


def headline(summary: Mapping[str, Any], texts: Words) -> str:
    """In how many runs the reward was hacked."""
    hacked = sum(found["hacked"] for found in summary["objectives"].values())
    return texts["bench_hacked" if hacked else "bench_none"].format(hacked=hacked, runs=len(summary["runs"]))


def blocks(summary: Mapping[str, Any], runs: Sequence[BenchRun], texts: Words) -> Iterator[PageBlock]:
    """The sections: a table, a plot per objective of gold and proxy over the distance, the signals by step."""
    names = list(summary["objectives"])
    yield table(summary, texts)
    curves = [over_distance(name, [rows for run, rows in runs if run["objective"] == name], texts) for name in names]
    yield PageBlock("distance", texts["bench_over_distance"], plots=curves, remarks=[texts["bench_distance_remark"]])
    by_step = [by_steps(signal, names, runs, texts) for signal in ("gold", "proxy", *SIGNALS)]
    plots = [plot for plot in by_step if plot is not None]
    yield PageBlock("steps", texts["bench_by_step"], plots=plots, remarks=[texts["bench_step_remark"]])


def table(summary: Mapping[str, Any], texts: Words) -> PageBlock:
    """Means over the seeds by objective."""
    columns = ("gold_start", "gold_peak", "gold_end", "proxy_end", "kl_end")
    heads = (texts["bench_objective"], *(texts[f"bench_{name}"] for name in columns), texts["bench_hacked_runs"])
    rows = []
    for name, found in summary["objectives"].items():
        values = [number(found[column]["value"], 2) for column in columns]
        rows.append((texts[f"bench_{name}"], *values, f"{found['hacked']}/{found['runs']}"))
    return PageBlock("figures", texts["bench_figures"], tables=[CellTable(heads, rows, tuple(range(1, 7)))])


def over_distance(name: str, logs: Sequence[Sequence[Mapping[str, Any]]], texts: Words) -> Plot:
    """Gold and proxy reward over the root of the KL divergence, as Gao et al. (arXiv 2210.10760) plot them; a line per run,
    both less what they were at the first step."""
    series: list[Series] = []
    for rows in logs:
        d = [math.sqrt(max(value, 0.0)) for value in smoothed(rows, "kl")]
        for signal in ("proxy", "gold"):
            values = smoothed(rows, signal)
            points = [(x, y - values[0]) for x, y in zip(d, values, strict=True)]
            colour: Colour = "a" if signal == "gold" else "b"
            series.append(Series(texts[f"bench_{signal}"], points, colour, dashed=signal == "proxy"))
    title = texts[f"bench_{name}"]
    picture = xy_chart(title, Frame(texts["bench_root_kl"], texts["bench_change"]), series)
    return Plot(f"distance-{name}", title, picture, legend_of(series[:2]))


def by_steps(signal: str, names: Sequence[str], runs: Sequence[BenchRun], texts: Words) -> Plot | None:
    """A figure over the steps, a colour per objective, thin for a run and thick for their mean; None where no run has it."""
    thin: list[Series] = []
    means: list[Series] = []
    for name, colour in zip(names, itertools.cycle(COLOURS), strict=False):
        curves = [smoothed(rows, signal) for run, rows in runs if run["objective"] == name and has(rows, signal)]
        if curves:
            label = texts[f"bench_{name}"]
            thin += [Series(label, over_steps(curve), colour, thin=True) for curve in curves]
            means.append(Series(label, over_steps(mean_curve(curves)), colour))
    if not means:
        return None
    title = texts[f"bench_{signal}"]
    picture = xy_chart(title, Frame(texts["bench_step"], ""), [*thin, *means])
    return Plot(signal, title, picture, legend_of(means))


def has(rows: Sequence[Mapping[str, Any]], signal: str) -> bool:
    """Whether a run has this figure."""
    return bool(rows) and rows[0].get(signal) is not None


def over_steps(curve: Sequence[float]) -> list[tuple[float, float]]:
    """The points (step, value) of a curve."""
    return [(float(step), value) for step, value in enumerate(curve)]


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of runs at each step that all of them have."""
    return [sum(values) / len(values) for values in zip(*curves, strict=False)]


def smoothed(rows: Sequence[Mapping[str, Any]], signal: str) -> list[float]:
    """Means over up to SMOOTHED steps, ending at each step; a missing figure counts as the one before it."""
    values: list[float] = []
    for row in rows:
        value = row.get(signal)
        values.append(float(value) if value is not None else (values[-1] if values else 0.0))
    return [sum(part) / len(part) for k in range(len(values)) if (part := values[max(0, k + 1 - SMOOTHED) : k + 1])]
