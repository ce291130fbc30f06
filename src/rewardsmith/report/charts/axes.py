"""Scales, ticks and the frame of a chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.report.charts import svg

MOST_TICKS = 6
STEPS = (1, 2, 2.5, 5, 10)
"""Distances between ticks that people count in, times a power of ten."""


@dataclass(frozen=True, slots=True)
class AxisScale:
    """Values from `low` to `high` on units from `start` to `end`; logarithmic for positive values only."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies; outside the scale it lies on its end."""
        bounded = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(bounded / self.low) / math.log(self.high / self.low)
        else:
            share = (bounded - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def widened(low: float, high: float) -> tuple[float, float]:
    """The two ends, put apart where they are equal or so near that no numbers between them can be written."""
    largest = max(abs(low), abs(high))
    if high - low > max(1e-9 * largest, 1e-12):
        return low, high
    room = 0.1 * largest if largest > 1e-11 else 0.5
    return low - room, high + room


def round_ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """At most `most` round numbers from `low` to `high`, evenly apart."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in STEPS if power * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    digits = 2 - math.floor(math.log10(step))
    return [round(step * k, digits) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def chosen_ticks(values: Sequence[float], scale: AxisScale, apart: float = 34) -> list[float]:
    """Those of the values that can be written beside each other, the largest always."""
    kept: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not kept or abs(scale(value) - scale(kept[-1])) >= apart:
            kept.append(value)
    return kept[::-1]


def tick_label(value: float) -> str:
    """A number of an axis: `0.25`, `1,500`, `20k`, `3M`."""
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else 1e6):g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Axis:
    """A title, its scale, and the numbers written on it."""

    title: str
    scale: AxisScale
    ticks: Sequence[float]


def frame(x: Axis, y: Axis) -> list[str]:
    """Grid lines, numbers and titles of both axes, where they have one; y has its zero at the bottom."""
    left, right, bottom = x.scale.start, x.scale.end, y.scale.start
    drawn = []
    for value in y.ticks:
        height = y.scale(value)
        drawn.append(svg.line((left, height), (right, height), "grid"))
        drawn.append(svg.text(tick_label(value), left - 5, height + 4, "end", "tick"))
    for value in x.ticks:
        place = x.scale(value)
        drawn.append(svg.line((place, bottom), (place, bottom + 4), "axis"))
        drawn.append(svg.text(tick_label(value), place, bottom + 16, "middle", "tick"))
    drawn.append(svg.line((left, bottom), (right, bottom), "axis"))
    titles = ((x.title, (left + right) / 2, bottom + 32, "middle"), (y.title, 2, y.scale.end - 9, "start"))
    return [*drawn, *(svg.text(*title) for title in titles if title[0])]
