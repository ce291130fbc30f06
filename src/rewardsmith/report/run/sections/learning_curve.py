"""The learning curve, from learning_curve.json: chart and table of the report, and the same as text and Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.language import Language, padded
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Plot
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, legend_of, xy_chart
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.run.evidence import Evidence
from rewardsmith.report.text import TEXTS, Words

MARGIN = 1.15
"""The axis reaches so many times beyond the sizes, so that the number of the last one stays on the picture."""


def learning_curve_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """Accuracy over the number of training records, and what more of them would give."""
    content = evidence.learning_curve
    if not content.get("points"):
        return None
    return PageBlock(
        "learning-curve",
        texts["curve"],
        sentences(content, texts),
        (curve_chart(content, texts),),
        (points_table(content, texts),),
    )


def sentences(content: Mapping[str, Any], texts: Words) -> list[str]:
    """What was measured, what more data would give or why that cannot be said, and the check of the extrapolation."""
    counts = {name: f"{content[name]:,}" for name in ("n", "prompts", "seeds")}
    lines = [texts["curve_line"].format(**counts)]
    if content.get("refusal"):
        lines.append(texts[f"curve_no_{content['refusal']}"])
    now = f"{content['points'][-1]['records']:,}"
    for gain in content.get("gains") or ():
        low, high = (f"{100 * end:+.1f}" for end in gain["ci"])
        lines.append(
            texts[f"curve_{gain['status']}"].format(
                now=now,
                there=f"{gain['records']:,}",
                gain=f"{100 * gain['gain']:+.1f}",
                low=low,
                high=high,
                bound=f"{100 * content['bound']:g}",
            )
        )
    if backtest := content.get("backtest"):
        shown = {name: f"{backtest[name]:.3f}" for name in ("predicted", "measured")}
        lines.append(texts["curve_backtest"].format(records=f"{backtest['records']:,}", **shown))
    return lines


def points_table(content: Mapping[str, Any], texts: Words) -> CellTable:
    """Each measured size."""
    heads = ("records", "accuracy", "seed_sd", "runs")
    rows = [
        (
            f"{point['records']:,}",
            with_span(point["accuracy"], point["ci"], 3),
            number(point.get("seed_sd"), 3),
            str(len(point["runs"])),
        )
        for point in content["points"]
    ]
    return CellTable(tuple(texts[f"curve_{head}"] for head in heads), rows, (0, 1, 2, 3))


def curve_chart(content: Mapping[str, Any], texts: Words) -> Plot:
    """The measured accuracies with intervals, and the fitted curve as far as it is extrapolated."""
    points = content["points"]
    last = float(points[-1]["records"])
    series = [*fitted_series(content, last, texts), measured_series(points, texts)]
    furthest = [float(gain["records"]) for gain in content.get("gains") or ()]
    guides = [GuideLine(texts["curve_end"], "c", x=last)] if furthest else []
    ticks = [*(float(point["records"]) for point in points), *furthest]
    ends = (ticks[0] / MARGIN, max(ticks) * MARGIN)
    frame = Frame(texts["curve_records"], texts["axis_accuracy"], x_ends=ends, logarithmic=True, x_ticks=ticks)
    picture = xy_chart(texts["curve"], frame, series, guides)
    covered = "curve_intervals" if points[-1].get("seed_sd") is not None else "curve_intervals_one_seed"
    remarks = (texts["intervals_95"], texts[covered], texts["logarithmic"])
    return Plot("learning-curve", texts["curve"], picture, legend_of(series, guides), remarks)


def fitted_series(content: Mapping[str, Any], last: float, texts: Words) -> list[Series]:
    """The fitted curve and its interval, up to the last measured size where nothing is extrapolated."""
    furthest = max([last, *(gain["records"] for gain in content.get("gains") or ())])
    shown = [row for row in content.get("curve") or () if row["records"] <= 1.001 * furthest]
    if not shown:
        return []
    line = [(row["records"], row["accuracy"]) for row in shown]
    spans = [(row["low"], row["high"]) for row in shown]
    return [
        Series(texts["curve_interval"], line, "a", "band", spans=spans),
        Series(texts["curve_fitted"], line, "a", dashed=True),
    ]


def measured_series(points: Sequence[Mapping[str, Any]], texts: Words) -> Series:
    """The measured sizes with their intervals."""
    return Series(
        texts["curve_measured"],
        [(float(point["records"]), point["accuracy"]) for point in points],
        "b",
        "dots",
        spans=[span_of(point["ci"]) or (point["accuracy"], point["accuracy"]) for point in points],
        hovers=[f"{point['records']:,}: {with_span(point['accuracy'], point['ci'], 3)}" for point in points],
    )


def text_lines(content: Mapping[str, Any], lang: Language) -> list[str]:
    """Table and sentences for a terminal."""
    texts = TEXTS[lang]
    table = points_table(content, texts)
    widths = (18, 24, 14, 6)
    cells = [
        "".join(padded(cell, width) for cell, width in zip(row, widths, strict=True))
        for row in (table.heads, *table.rows)
    ]
    return [*(line.rstrip() for line in cells), *sentences(content, texts)]


def markdown(content: Mapping[str, Any], lang: Language) -> str:
    """The same for an issue or a card."""
    texts = TEXTS[lang]
    table = points_table(content, texts)
    rows = ["| " + " | ".join(row) + " |" for row in (table.heads, *table.rows)]
    rows.insert(1, "|---" * len(table.heads) + "|")
    said = "\n".join(f"- {line}" for line in sentences(content, texts))
    return "\n\n".join([f"# {texts['curve']}", said, "\n".join(rows)]) + "\n"
