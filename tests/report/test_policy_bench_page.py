"""The plots of a bench of reward models: a thin line per run, a thick one for their mean."""

import re

from rewardsmith.report.alignment.policy_bench import by_steps, mean_curve
from rewardsmith.report.text import TEXTS


def run(objective, *values):
    return {"objective": objective}, [{"gold": value, "kl": 0.1 * k} for k, value in enumerate(values)]


RUNS = [run("single", 1.0, 2.0, 3.0), run("single", 3.0, 4.0, 5.0), run("ensemble", 2.0, 2.0)]


def test_each_objective_has_its_runs_thin_and_their_mean_thick():
    plot = by_steps("gold", ["single", "ensemble"], RUNS, TEXTS["en"])
    drawn = re.findall(r'<path d="[^"]*" class="(line [^"]*)"', plot.svg)
    assert drawn == ["line a thin", "line a thin", "line b thin", "line a", "line b"]
    assert [key.label for key in plot.legend] == ["single member", "ensemble: mean − λ·std"]


def test_the_title_of_a_plot_is_not_written_on_its_axis_again():
    plot = by_steps("gold", ["single"], RUNS, TEXTS["en"])
    assert plot.title == "gold reward"
    assert ">gold reward<" not in plot.svg


def test_a_figure_that_no_run_has_is_not_drawn():
    assert by_steps("multiplier", ["single", "ensemble"], RUNS, TEXTS["en"]) is None


def test_a_mean_ends_with_the_shortest_run():
    assert mean_curve([[1.0, 2.0, 3.0], [3.0, 4.0]]) == [2.0, 3.0]
