"""Charts: where things lie, that all of them lie inside, and that hostile labels stay labels."""

import itertools
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.report.charts.axes import AxisScale, chosen_ticks, round_ticks, tick_label, widened
from rewardsmith.report.charts.flow import Stream, flow_chart
from rewardsmith.report.charts.rows import BarRow, IntervalRow, bar_chart, interval_chart, shortened
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, xy_chart

HOSTILE = "</svg><script>alert(1)</script>\"'&"
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def parsed(svg):
    """The SVG as XML; an error where it is not well-formed."""
    return ElementTree.fromstring(svg)


@given(NUMBERS, NUMBERS)
def test_ticks_are_few_round_and_inside(one, other):
    low, high = widened(min(one, other), max(one, other))
    ticks = round_ticks(low, high)
    assert 1 <= len(ticks) <= 8
    room = (high - low) * 1e-6
    assert all(low - room <= tick <= high + room for tick in ticks)
    steps = {round((b - a) / (high - low), 6) for a, b in itertools.pairwise(ticks)}
    assert len(steps) <= 2  # equal, but for rounding


def test_ticks_by_hand():
    assert round_ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert round_ticks(-3.2, 7.1, 6) == [-2, 0, 2, 4, 6]
    assert [tick_label(v) for v in (0.25, 1500, 20000, 3_000_000, 0)] == ["0.25", "1,500", "20k", "3M", "0"]


def test_scales_map_ends_to_ends_and_logarithms_evenly():
    plain = AxisScale(10, 20, 100, 0)
    assert [plain(v) for v in (10, 15, 20, 99)] == [100, 50, 0, 0]
    log = AxisScale(1, 100, 0, 10, logarithmic=True)
    assert [log(v) for v in (1, 10, 100)] == pytest.approx([0, 5, 10])


def test_crowded_ticks_give_way_to_the_largest():
    scale = AxisScale(1, 64, 0, 100, logarithmic=True)
    kept = chosen_ticks([1, 2, 4, 8, 16, 32, 64], scale, apart=30)
    assert kept[-1] == 64
    places = [scale(v) for v in kept]
    assert all(b - a >= 30 for a, b in itertools.pairwise(places))


def test_a_point_lies_where_its_numbers_say():
    series = Series("s", [(0.0, 0.0), (1.0, 1.0)], "a", "dots", spans=[(0.0, 0.1), (0.9, 1.0)])
    svg = xy_chart("chart", Frame("x", "y"), [series])
    (x0, y0), (x1, y1) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert (float(x0), float(x1)) == (46, 392)
    assert (float(y0), float(y1)) == (208, 24)


@pytest.mark.parametrize("kind", ["line", "dots", "steps", "band"])
def test_hostile_labels_are_labels(kind):
    series = Series(HOSTILE, [(0.0, 1.0), (1.0, 2.0)], "b", kind, spans=[(0.5, 1.5), (1.5, 2.5)], rights=[1.0, 2.0])
    svg = xy_chart(HOSTILE, Frame(HOSTILE, HOSTILE), [series], [GuideLine(HOSTILE, y=1.0)])
    tags = {element.tag for element in parsed(svg).iter()}
    assert "script" not in tags
    assert parsed(svg).get("aria-label") == HOSTILE


def test_rows_and_flows_take_hostile_labels():
    for svg in (
        interval_chart(HOSTILE, HOSTILE, [IntervalRow(HOSTILE, 0.5, (0.4, 0.6), hover=HOSTILE, written=HOSTILE)]),
        bar_chart(HOSTILE, [BarRow(HOSTILE, 3, HOSTILE)]),
        flow_chart(HOSTILE, Stream(HOSTILE, 3, "a", (Stream(HOSTILE, 3),))),
    ):
        assert "script" not in {element.tag for element in parsed(svg).iter()}


def test_an_interval_reaches_from_end_to_end():
    svg = interval_chart("l", "t", [IntervalRow("row", 0.5, (0.0, 1.0))], guide=0.5, ends=(0.0, 1.0))
    line = next(e for e in parsed(svg).iter() if e.get("class") == "bar a")
    x1, x2 = float(line.get("x1")), float(line.get("x2"))
    dot = next(e for e in parsed(svg).iter() if e.tag.endswith("circle"))
    assert float(dot.get("cx")) == pytest.approx((x1 + x2) / 2, abs=0.1)


def test_bars_are_as_long_as_their_counts():
    svg = bar_chart("l", [BarRow("one", 10, "10"), BarRow("two", 5, "5"), BarRow("none", 0, "0")])
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[2] < 1


def test_streams_are_as_thick_as_their_counts_and_lie_inside():
    parts = (Stream("kept", 90, "a", (Stream("train", 60), Stream("test", 30))), Stream("removed", 10, "b"))
    svg = flow_chart("rows", Stream("rows", 100, "c", parts))
    heights = [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', svg)]
    assert heights[0] == pytest.approx(150)
    assert heights[1] == pytest.approx(135)
    assert heights[2:4] == [pytest.approx(90), pytest.approx(45)]
    total = float(parsed(svg).get("viewBox").split()[3])
    lower = [float(y) + float(h) for y, h in re.findall(r'y="([\d.]+)" width="9" height="([\d.]+)"', svg)]
    assert len(lower) == 5
    assert max(lower) < total
    assert not math.isnan(total)


def test_a_long_name_is_cut_to_its_room_and_kept_for_the_pointer():
    name = "a very long name of a category that nobody would expect here"
    assert shortened(name).endswith("…")
    assert name in interval_chart("l", "t", [IntervalRow(name, 0.5)])
