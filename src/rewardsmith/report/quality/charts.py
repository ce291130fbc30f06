"""The charts of the quality page, from quality.json; None where a file of an older version lacks the numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.diagnose.finding import percent
from rewardsmith.language import say
from rewardsmith.report.charts.flow import Stream, flow_chart
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.rows import BarRow, IntervalRow, bar_chart, interval_chart
from rewardsmith.report.charts.xy import Frame, Series, legend_of, xy_chart
from rewardsmith.report.quality.table import QualityFile
from rewardsmith.report.text import Words

MOST_PARTS = 5
"""Reasons that have a stream of their own; the others are drawn as one."""

MOST_LANGUAGES = 12


def kept_rows(content: QualityFile) -> int:
    """Rows in = kept + quarantined + removed."""
    kept: int = content["rows"] - sum(content["quarantined"].values()) - sum(content["removed"].values())
    return kept


def flow(content: QualityFile, texts: Words) -> Plot:
    """Where the rows went: kept and into which split, removed and quarantined and why."""
    parts = [Stream(texts["flow_kept"], kept_rows(content), "a", kept_parts(content, texts))]
    for name, colour in (("removed", "b"), ("quarantined", "c")):
        if total := sum(content[name].values()):
            parts.append(Stream(texts[f"flow_{name}"], total, colour_of(colour), reasons(content[name], colour, texts)))
    start = Stream(texts["flow_rows"], content["rows"], "c", tuple(parts))
    return Plot("wide", texts["data_flow"], flow_chart(texts["data_flow"], start))


def colour_of(name: str) -> Colour:
    """The colour of a stream by its letter."""
    colours: dict[str, Colour] = {"a": "a", "b": "b", "c": "c", "d": "d"}
    return colours[name]


def kept_parts(content: QualityFile, texts: Words) -> tuple[Stream, ...]:
    """The splits, and what was kept in another form."""
    parts = [Stream(texts.get(f"split_{name}", name), count, "a") for name, count in content["splits"].items() if count]
    parts += [
        Stream(texts[f"flow_{name}"], content[name], "d") for name in ("joined", "documents") if content.get(name)
    ]
    return tuple(parts)


def reasons(counts: Mapping[str, int], colour: str, texts: Words) -> tuple[Stream, ...]:
    """The most frequent reasons, and the others together."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    parts = [Stream(name, count, colour_of(colour)) for name, count in ordered[:MOST_PARTS] if count]
    if rest := sum(count for _, count in ordered[MOST_PARTS:]):
        parts.append(Stream(texts["flow_other"], rest, colour_of(colour)))
    return tuple(parts)


def shortcut_chart(content: QualityFile, texts: Words) -> Plot | None:
    """The accuracy of each feature with its interval around one half, the strongest first."""
    known = measured_features(content)
    if not known:
        return None
    rows = [feature_row(one) for one in known]
    values = [value for row in rows for value in (row.value, *(row.span or ()))]
    room = max(0.02, *(abs(value - 0.5) for value in values)) * 1.05
    ends = (max(0.0, 0.5 - room), min(1.0, 0.5 + room))
    picture = interval_chart(texts["shortcut_chart"], texts["axis_accuracy"], rows, guide=0.5, ends=ends)
    remarks = (texts["shortcut_axis"], texts["shortcut_column"], texts["intervals_95"])
    return Plot("shortcuts", texts["shortcut_chart"], picture, (), remarks)


def measured_features(content: QualityFile) -> list[Mapping[str, Any]]:
    """Every feature whose accuracy is known, and all together, the farthest from one half first."""
    shortcuts = content.get("shortcuts") or {}
    measured = [*shortcuts.get("features", ()), *filter(None, [shortcuts.get("joint")])]
    known = [one for one in measured if one["accuracy"] is not None]
    return sorted(known, key=lambda one: (-abs(one["accuracy"] - 0.5), one["name"]))


def feature_row(feature: Mapping[str, Any]) -> IntervalRow:
    """A feature's accuracy; in another colour where the interval leaves chance out."""
    low, high = feature["accuracy_ci"]
    value = feature["accuracy"]
    span = None if low is None or high is None else (low, high)
    colour: Colour = "b" if feature.get("found") else "a"
    hover = f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if span else "")
    return IntervalRow(say(str(feature["name"])), value, span, colour, hover, f"{feature['differing']:,}")


def preference_chart(content: QualityFile, texts: Words) -> Plot | None:
    """How many comparisons have which share of judges for the preferred response."""
    counts = {float(value): count for value, count in (content.get("preferences") or {}).items()}
    if not counts:
        return None
    names = {0.5: texts["preference_tie"], 1.0: texts["preference_whole"]}
    total = sum(counts.values())
    if len(counts) > MOST_LANGUAGES:
        counts = in_twentieths(counts)
    rows = [
        BarRow(names.get(v, f"{v:g}"), n, f"{n:,} ({percent(n / total)})", "c" if v == 0.5 else "a")
        for v, n in sorted(counts.items())
    ]
    return Plot("preferences", texts["preference_chart"], bar_chart(texts["preference_chart"], rows))


def in_twentieths(counts: Mapping[float, int]) -> dict[float, int]:
    """The same counts, with shares rounded to 0.05 where there are many of them."""
    rounded: dict[float, int] = {}
    for value, count in counts.items():
        place = round(round(value * 20) / 20, 2)
        rounded[place] = rounded.get(place, 0) + count
    return rounded


def length_chart(content: QualityFile, unit: str, texts: Words) -> Plot | None:
    """The lengths of the shortest and of the longest response of each record."""
    drawn = content.get("histograms") or {}
    suffix = {"words": "words", "characters": "chars"}[unit]
    kinds: tuple[tuple[str, Colour], ...] = (("shortest", "b"), ("longest", "a"))
    series = [
        histogram_series(drawn[f"{kind}_{suffix}"], texts[f"{kind}_line"], colour)
        for kind, colour in kinds
        if f"{kind}_{suffix}" in drawn
    ]
    if not series:
        return None
    title, ticks = texts[f"{unit}_chart"], round_lengths(series)
    frame = Frame(texts[f"{unit}_axis"], texts["records_axis"], logarithmic=True, x_ticks=ticks)
    return Plot(unit, title, xy_chart(title, frame, series), legend_of(series), (texts["logarithmic"],))


def round_lengths(series: Sequence[Series]) -> list[float]:
    """1, 2, 5, 10, 20, … as far as the histograms reach."""
    low = min(one.points[0][0] for one in series)
    high = max(one.rights[-1] for one in series)
    rounded = [factor * 10.0**power for power in range(10) for factor in (1, 2, 5)]
    return [value for value in rounded if low <= value <= high]


def histogram_series(bars: Any, label: str, colour: Colour) -> Series:
    """A histogram of quality.json: (left edge, right edge, count) of each bar."""
    points = [(float(left), float(count)) for left, _, count in bars]
    return Series(label, points, colour, "steps", rights=[float(right) for _, right, _ in bars])


def share_chart(content: QualityFile, name: str, texts: Words) -> Plot | None:
    """How a measured share between 0 and 1 is spread over the records; not drawn where all have the same."""
    bars = (content.get("histograms") or {}).get(name) or ()
    if len(bars) < 2:
        return None
    series = histogram_series(bars, "", "a")
    title = texts[f"{name}_chart"]
    frame = Frame(texts["share_axis"], texts["records_axis"], x_ends=(0.0, 1.0))
    return Plot(name, title, xy_chart(title, frame, [series]))


def languages_chart(content: QualityFile, texts: Words) -> Plot | None:
    """How many records have responses in which language."""
    ordered = sorted(content["languages"].items(), key=lambda entry: (-entry[1], entry[0]))
    if not ordered:
        return None
    total = sum(count for _, count in ordered)
    shown = ordered[:MOST_LANGUAGES]
    rows = [BarRow(texts.get(f"language_{name}", name), n, f"{n:,} ({percent(n / total)})") for name, n in shown]
    if rest := total - sum(count for _, count in shown):
        rows.append(BarRow(texts["flow_other"], rest, f"{rest:,} ({percent(rest / total)})", "c"))
    return Plot("languages", texts["languages_chart"], bar_chart(texts["languages_chart"], rows))
