"""The learning-rate test as a page: what is suggested, and the curve."""

import math
from collections.abc import Mapping
from typing import Any

from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Plot
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, legend_of, xy_chart
from rewardsmith.report.text import Words

RULES = ("steepest", "valley", "minimum")


def headline(summary: Mapping[str, Any], texts: Words) -> str:
    """The suggested rate, or that there is none."""
    if summary["suggestion"] is None:
        return texts["rates_none"]
    return texts["rates_found"].format(rate=f"{summary['suggestion']:.1e}")


def sentences(summary: Mapping[str, Any], texts: Words) -> list[str]:
    """How it was measured."""
    low, high = (f"{summary['rates'][k]:.1e}" for k in (0, -1))
    steps, records = (f"{number:,}" for number in (len(summary["rates"]), summary["records"]))
    return [texts["rates_how"].format(low=low, high=high, steps=steps, records=records), texts["rates_short"]]


def curve(summary: Mapping[str, Any], texts: Words) -> PageBlock:
    """Loss over the rate, the suggestions as lines, and a table of what each rule says."""
    across = [math.log10(rate) for rate in summary["rates"]]
    series = [
        Series(texts["rates_loss"], list(zip(across, summary["curve"], strict=True)), "c"),
        Series(texts["rates_smoothed"], list(zip(across, summary["smoothed"], strict=True)), "a"),
    ]
    guides = [GuideLine(texts["rates_default"], "b", x=math.log10(summary["default"]), mark="dotted")]
    if summary["suggestion"] is not None:
        guides.append(GuideLine(texts["rates_steepest"], "d", x=math.log10(summary["suggestion"]), mark="dashed"))
    top = 1.5 * max(summary["smoothed"][0], min(summary["smoothed"]))
    frame = Frame(texts["rates_axis"], texts["axis_loss"], y_ends=(min(summary["curve"]) * 0.95, top))
    picture = xy_chart(texts["rates_curve"], frame, series, guides)
    plot = Plot("loss", texts["rates_curve"], picture, legend_of(series, guides), (texts["rates_rule"],))
    rows = [(texts[f"rates_{rule}"], f"{summary['suggestions'][rule]:.1e}") for rule in RULES]
    rows.append((texts["rates_default"], f"{summary['default']:.1e}"))
    table = CellTable((texts["rates_by"], texts["rates_rate"]), rows, (1,))
    return PageBlock("curve", texts["rates_curve"], plots=[plot], tables=[table])
