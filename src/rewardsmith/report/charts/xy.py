"""Two numbers against each other: curves, points with intervals, histograms."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rewardsmith.report.charts import svg
from rewardsmith.report.charts.axes import Axis, AxisScale, chosen_ticks, frame, round_ticks, tick_label, widened
from rewardsmith.report.charts.plot import Colour, LegendKey, Mark

HEIGHT = 250
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 24, 42

SeriesKind = Literal["line", "dots", "steps", "band"]


@dataclass(frozen=True, slots=True)
class Series:
    """Points to draw in one colour.

    `spans` gives the low and high end at each point: error bars of dots, the edges of a band. Of `steps`, x is the left
    edge of a bar and `rights` holds the right one. `hovers` are the texts under the pointer, one for each point. A `thin`
    line is one of many.
    """

    label: str
    points: Sequence[tuple[float, float]]
    colour: Colour
    kind: SeriesKind = "line"
    spans: Sequence[tuple[float, float]] = ()
    rights: Sequence[float] = ()
    dashed: bool = False
    thin: bool = False
    hovers: Sequence[str] = ()

    @property
    def key(self) -> LegendKey:
        """Its line of the legend."""
        marks: dict[SeriesKind, Mark] = {"line": "dashed" if self.dashed else "line", "dots": "dot"}
        return LegendKey(self.label, self.colour, marks.get(self.kind, "area"))


@dataclass(frozen=True, slots=True)
class GuideLine:
    """A level to compare with: horizontal at `y`, vertical at `x`, or the diagonal where both are None."""

    label: str
    colour: Colour = "c"
    y: float | None = None
    x: float | None = None
    mark: Mark = "dotted"

    @property
    def key(self) -> LegendKey:
        """Its line of the legend."""
        return LegendKey(self.label, self.colour, self.mark)


@dataclass(frozen=True, slots=True)
class Frame:
    """Titles of the axes and, where they are not those of the data, their ends."""

    x_title: str
    y_title: str
    x_ends: tuple[float, float] | None = None
    y_ends: tuple[float, float] | None = None
    logarithmic: bool = False
    x_ticks: Sequence[float] = ()


def xy_chart(label: str, axes: Frame, series: Sequence[Series], guides: Sequence[GuideLine] = ()) -> str:
    """The picture; `label` names it for those who cannot see it."""
    x, y = scales(axes, series, guides)
    x_ticks = chosen_ticks(axes.x_ticks, x) if axes.x_ticks else round_ticks(x.low, x.high)
    drawn = frame(Axis(axes.x_title, x, x_ticks), Axis(axes.y_title, y, round_ticks(y.low, y.high, 5)))
    drawn += [guide_line(guide, x, y) for guide in guides]
    for one in series:
        drawn += DRAWN[one.kind](one, x, y)
    return svg.picture(drawn, HEIGHT, label)


def legend_of(series: Iterable[Series], guides: Iterable[GuideLine] = ()) -> tuple[LegendKey, ...]:
    """The legend of a chart's series, and of its guides that have a label."""
    return (*(one.key for one in series), *(one.key for one in guides if one.label))


def scales(axes: Frame, series: Sequence[Series], guides: Sequence[GuideLine]) -> tuple[AxisScale, AxisScale]:
    """Both scales, over all points, spans and guides, where the frame does not fix them."""
    across = [value for one in series for value in across_values(one)]
    up = [value for one in series for value in up_values(one)]
    up += [guide.y for guide in guides if guide.y is not None]
    x_low, x_high = axes.x_ends or widened(min(across), max(across))
    y_low, y_high = axes.y_ends or widened(min(up), max(up))
    return (
        AxisScale(x_low, x_high, LEFT, svg.WIDTH - RIGHT, logarithmic=axes.logarithmic),
        AxisScale(y_low, y_high, HEIGHT - BOTTOM, TOP),
    )


def across_values(one: Series) -> list[float]:
    """The values of a series on the horizontal axis."""
    return [*(x for x, _ in one.points), *one.rights]


def up_values(one: Series) -> list[float]:
    """The values of a series on the vertical axis; bars begin at zero."""
    zero = [0.0] if one.kind == "steps" else []
    return [*(y for _, y in one.points), *(end for span in one.spans for end in span), *zero]


def guide_line(guide: GuideLine, x: AxisScale, y: AxisScale) -> str:
    """A straight line through the whole chart."""
    if guide.y is not None:
        ends = (x.start, y(guide.y)), (x.end, y(guide.y))
    elif guide.x is not None:
        ends = (x(guide.x), y.start), (x(guide.x), y.end)
    else:
        low, high = max(x.low, y.low), min(x.high, y.high)
        ends = (x(low), y(low)), (x(high), y(high))
    return svg.line(*ends, f"line {guide.colour} {guide.mark}")


def path(places: Iterable[tuple[float, float]]) -> str:
    """The commands of a line through these places."""
    return "M" + "L".join(f"{svg.attribute(x)} {svg.attribute(y)}" for x, y in places)


def draw_line(one: Series, x: AxisScale, y: AxisScale) -> list[str]:
    """A line through the points."""
    classes = " ".join(["line", one.colour, *["dashed"] * one.dashed, *["thin"] * one.thin])
    return [svg.element("path", d=path((x(a), y(b)) for a, b in one.points), class_=classes)] if one.points else []


def draw_dots(one: Series, x: AxisScale, y: AxisScale) -> list[str]:
    """A thin line, and on it points with their intervals, in the mark of the colour."""
    places = [(x(a), y(b)) for a, b in one.points]
    drawn = [svg.element("path", d=path(places), class_=f"line thin {one.colour}")] if len(places) > 1 else []
    for k, (across, up) in enumerate(places):
        inside = [svg.hover(hover_text(one, k))]
        if one.spans:
            low, high = one.spans[k]
            inside.append(svg.line((across, y(low)), (across, y(high)), f"bar {one.colour}"))
        inside.append(mark(across, up, one.colour))
        drawn.append(svg.element("g", *inside))
    return drawn


def hover_text(one: Series, number: int) -> str:
    """What is shown under the pointer at a point."""
    if one.hovers:
        return one.hovers[number]
    across, up = one.points[number]
    return f"{one.label}: {tick_label(across)}, {up:.4g}"


def mark(x: float, y: float, colour: Colour) -> str:
    """A disc, a square or a diamond: series differ without their colours."""
    if colour == "b":
        return svg.element("rect", x=x - 3, y=y - 3, width=6, height=6, class_=f"dot {colour}")
    if colour == "d":
        return svg.element(
            "path", d=f"{path([(x, y - 4.4), (x + 4.4, y), (x, y + 4.4), (x - 4.4, y)])}Z", class_="dot d"
        )
    return svg.element("circle", cx=x, cy=y, r=3.4, class_=f"dot {colour}")


def draw_steps(one: Series, x: AxisScale, y: AxisScale) -> list[str]:
    """The outline of a histogram, filled."""
    if not one.points:
        return []
    bottom, corners = y(0.0), []
    for (left, height), right in zip(one.points, one.rights, strict=True):
        corners += [(x(left), y(height)), (x(right), y(height))]
    closed = [(corners[0][0], bottom), *corners, (corners[-1][0], bottom)]
    return [svg.element("path", svg.hover(one.label), d=f"{path(closed)}Z", class_=f"area {one.colour}")]


def draw_band(one: Series, x: AxisScale, y: AxisScale) -> list[str]:
    """The area between the low and the high ends."""
    places = [x(across) for across, _ in one.points]
    low = [y(low) for low, _ in one.spans]
    high = [y(high) for _, high in one.spans]
    around = [*zip(places, high, strict=True), *reversed(list(zip(places, low, strict=True)))]
    return [svg.element("path", d=f"{path(around)}Z", class_=f"band {one.colour}")] if around else []


DRAWN: dict[SeriesKind, Callable[[Series, AxisScale, AxisScale], list[str]]] = {
    "line": draw_line,
    "dots": draw_dots,
    "steps": draw_steps,
    "band": draw_band,
}


def finite(values: Iterable[float]) -> list[float]:
    """Those that are numbers."""
    return [value for value in values if math.isfinite(value)]
