import re

import numpy as np
import pytest

from rewardsmith.diagnose.facts import CurvePoint, GroupFacts
from rewardsmith.diagnose.finding import short_label
from rewardsmith.report.charts.svg import FONT
from rewardsmith.report.run.plots import MAX_GROUPS, MAX_POINTS, finite_column, group_plot, group_row, shown_range, thin
from rewardsmith.report.text import TEXTS


@pytest.mark.parametrize("rows", [0, 1, MAX_POINTS, MAX_POINTS + 1, 12345])
def test_thinning_keeps_the_mean_and_the_last_step(rows):
    steps, values = list(range(rows)), [float(v % 7) for v in range(rows)]
    ends, means, block = thin(steps, values)
    assert len(ends) == len(means) <= MAX_POINTS
    sizes = [min(block, rows - block * k) for k in range(len(means))]
    assert sum(m * s for m, s in zip(means, sizes, strict=True)) == pytest.approx(sum(values))
    assert ends[-1:] == steps[-1:]


def test_a_short_curve_is_untouched():
    assert thin([1, 2, 3], [0.1, 0.2, 0.3]) == ([1, 2, 3], pytest.approx([0.1, 0.2, 0.3]), 1)


def test_only_finite_numbers_are_drawn():
    rows = [CurvePoint(1, loss=0.5), CurvePoint(2), CurvePoint(3, loss=float("nan")), CurvePoint(4, loss=0.4)]
    assert finite_column(rows, "loss") == ([1, 4], [0.5, 0.4])


def test_an_outlier_does_not_squeeze_the_histogram():
    low, high = shown_range(np.append(np.linspace(0, 1, 1000), 1e6))
    assert high < 1.1
    assert shown_range(np.ones(5)) == (0.5, 1.5)
    assert low >= 0


def test_the_largest_groups_are_shown_and_the_others_counted():
    groups = [GroupFacts(f"g{k}", k + 1, 0.5) for k in range(MAX_GROUPS + 3)]
    plot = group_plot("g", "title", groups, TEXTS["en"])
    assert f"the {MAX_GROUPS} largest of {MAX_GROUPS + 3} groups" in plot.remarks
    assert ">g0<" not in plot.svg
    assert f">g{MAX_GROUPS + 2}<" in plot.svg
    assert group_plot("g", "title", [], TEXTS["en"]) is None


def test_labels_are_short_label():
    assert short_label("a\x00b\n") == "a b "
    assert short_label("\x1b[31mred") == " [31mred"
    assert len(short_label("x" * 100)) == 28


def test_a_chinese_label_takes_two_columns_a_character():
    assert short_label("奖" * 14) == "奖" * 14
    assert short_label("奖" * 15) == "奖" * 13 + "…"


def test_a_chinese_label_gets_the_room_that_a_browser_needs():
    label = "奖" * 14
    svg = group_plot("g", "title", [GroupFacts(label, 9, 0.5), GroupFacts("b", 9, 0.5)], TEXTS["zh"]).svg
    # The label ends at its x; drawn one em a character, as much of it as there is has to begin inside the picture.
    end, drawn = re.search(r'<text x="([\d.]+)"[^>]*text-anchor="end">(奖+)', svg).groups()
    assert len(drawn) >= 10
    assert float(end) >= len(drawn) * FONT


def test_groups_have_chinese_names():
    svg = group_plot("g", "title", [GroupFacts("shorter", 9, 0.5), GroupFacts("language: zh", 9, 0.5)], TEXTS["zh"]).svg
    assert ">偏好的较短<" in svg
    assert ">语言：中文<" in svg


def test_a_group_below_chance_has_another_colour():
    rows = [GroupFacts("bad", 400, 0.2), GroupFacts("good", 400, 0.8)]
    assert [group_row(one, TEXTS["en"]).colour for one in rows] == ["b", "a"]
