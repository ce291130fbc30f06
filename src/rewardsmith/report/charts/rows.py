"""One row for each thing: its value with an interval, or a bar with its count."""

from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.report.charts import svg
from rewardsmith.report.charts.axes import AxisScale, round_ticks, tick_label, widened
from rewardsmith.report.charts.plot import Colour
from rewardsmith.report.charts.xy import mark

ROW, TOP, BOTTOM, RIGHT = 24, 8, 40, 12
MOST_LABEL = 190.0
"""Units that the names of the rows may take."""


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A name, a value and its interval (None: not known), and what is written at the row's end, such as its n."""

    label: str
    value: float
    span: tuple[float, float] | None = None
    colour: Colour = "a"
    hover: str = ""
    written: str = ""


@dataclass(frozen=True, slots=True)
class BarRow:
    """A name, how long its bar is, and what is written behind it."""

    label: str
    value: float
    written: str
    colour: Colour = "a"


def label_room(labels: Sequence[str]) -> float:
    """Units that the names of the rows take."""
    return min(MOST_LABEL, max(svg.text_width(label) for label in labels)) + 10


def shortened(label: str) -> str:
    """A name that fits its room, the rest as an ellipsis; the pointer shows it whole."""
    if svg.text_width(label) <= MOST_LABEL:
        return label
    kept = label
    while kept and svg.text_width(kept + "…") > MOST_LABEL:
        kept = kept[:-1]
    return kept + "…"


def interval_chart(
    label: str,
    title: str,
    rows: Sequence[IntervalRow],
    *,
    guide: float | None = None,
    bound: tuple[float, float] | None = None,
    ends: tuple[float, float] | None = None,
) -> str:
    """Values with intervals below each other, with a vertical line at `guide` and a shaded range `bound`."""
    low, high = ends or reach(rows, guide, bound)
    room = max(svg.text_width(row.written) for row in rows) + RIGHT
    scale = AxisScale(low, high, label_room([row.label for row in rows]), svg.WIDTH - room)
    bottom = TOP + ROW * len(rows)
    drawn = []
    if bound is not None:
        left, right = scale(bound[0]), scale(bound[1])
        drawn.append(svg.element("rect", x=left, y=TOP, width=right - left, height=bottom - TOP, class_="within"))
    drawn += value_axis(scale, title, bottom)
    if guide is not None:
        drawn.append(svg.line((scale(guide), TOP), (scale(guide), bottom), "line c dotted"))
    for number, row in enumerate(rows):
        drawn.append(interval_row(row, scale, TOP + ROW * (number + 0.5)))
    return svg.picture(drawn, bottom + BOTTOM, label)


def reach(rows: Sequence[IntervalRow], guide: float | None, bound: tuple[float, float] | None) -> tuple[float, float]:
    """The ends of the axis: a little beyond the lowest and the highest of all that is drawn."""
    values = [value for row in rows for value in (row.value, *(row.span or ()))]
    values += [value for value in (guide, *(bound or ())) if value is not None]
    low, high = widened(min(values), max(values))
    room = 0.04 * (high - low)
    return low - room, high + room


def value_axis(scale: AxisScale, title: str, bottom: float) -> list[str]:
    """Numbers and grid lines of a horizontal axis below rows."""
    drawn = []
    for value in round_ticks(scale.low, scale.high, 5):
        drawn.append(svg.line((scale(value), TOP), (scale(value), bottom), "grid"))
        drawn.append(svg.text(tick_label(value), scale(value), bottom + 14, "middle", "tick"))
    drawn.append(svg.line((scale.start, bottom), (scale.end, bottom), "axis"))
    drawn.append(svg.text(title, (scale.start + scale.end) / 2, bottom + 31, "middle"))
    return drawn


def interval_row(row: IntervalRow, scale: AxisScale, y: float) -> str:
    """A name, an interval and its value."""
    parts = [svg.hover(row.label, *filter(None, [row.hover]))]
    parts.append(svg.text(shortened(row.label), scale.start - 8, y + 4, "end"))
    if row.span is not None:
        parts.append(svg.line((scale(row.span[0]), y), (scale(row.span[1]), y), f"bar {row.colour}"))
    parts.append(mark(scale(row.value), y, row.colour))
    if row.written:
        parts.append(svg.text(row.written, svg.WIDTH - 2, y + 4, "end", "tick"))
    return svg.element("g", *parts)


def bar_chart(label: str, rows: Sequence[BarRow]) -> str:
    """Bars from zero, with what they count written behind them."""
    most = max(row.value for row in rows) or 1.0
    room = max(svg.text_width(row.written) for row in rows) + 8
    scale = AxisScale(0.0, most, label_room([row.label for row in rows]), svg.WIDTH - room)
    drawn = []
    for number, row in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        width = max(scale(row.value) - scale.start, 0.6)
        drawn.append(
            svg.element(
                "g",
                svg.hover(row.label, row.written),
                svg.text(shortened(row.label), scale.start - 8, y + 4, "end"),
                svg.element("rect", x=scale.start, y=y - 8, width=width, height=16, class_=f"fill {row.colour}"),
                svg.text(row.written, scale.start + width + 5, y + 4, "start", "tick"),
            )
        )
    return svg.picture(drawn, TOP + ROW * len(rows) + 4, label)
