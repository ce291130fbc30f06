"""What a chart is on a page: the picture, its legend, and what its reader has to know."""

from dataclasses import dataclass
from typing import Literal

Colour = Literal["a", "b", "c", "d"]
"""Classes of the page's style: blue, orange, grey, green, each with a mark and a dash of its own."""

Mark = Literal["line", "dashed", "dotted", "dot", "area"]


@dataclass(frozen=True, slots=True)
class LegendKey:
    """A line of the legend."""

    label: str
    colour: Colour
    mark: Mark = "line"


@dataclass(frozen=True, slots=True)
class Plot:
    """A title, the SVG element, the legend below it, and remarks (counts, thinned curves, values outside the axis)."""

    name: str
    title: str
    svg: str
    legend: tuple[LegendKey, ...] = ()
    remarks: tuple[str, ...] = ()
