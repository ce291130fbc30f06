"""The steps of a learning curve: train on shares of the data, judge all runs on the same comparisons, fit, write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.files import claimed, refuse_inside, write_json, write_text
from rewardsmith.files.kinds import CURVE
from rewardsmith.language import current
from rewardsmith.pipelines.learning_curve.runs import (
    PlannedRun,
    begin,
    by_size,
    planned_runs,
    refuse_other_data,
    train_all,
)
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.evaluate.statistics import Interval, LearningCurve

CURVE_FILE = "learning_curve.json"
VERSION = 1
STATUS = {"found": "found", "excluded": "excluded", "inconclusive": "cannot_tell"}
DRAWN = 33
"""Sizes at which the fitted curve is kept for drawing, evenly in their logarithms."""


@dataclass(frozen=True)
class CurvePlan:
    """What is asked for: shares of the given run's records, seeds of each, and the sizes to extrapolate to.

    `factors` are times the largest size, `bound` is the smallest gain in accuracy that matters.
    """

    given: Path
    fractions: Sequence[float]
    seeds: int
    factors: Sequence[float]
    bound: float
    seed: int


def measure_curve(
    plan: CurvePlan, folder: Path, *, keep_models: bool, overwrite: bool, progress: Progress
) -> dict[str, Any]:
    """The content of learning_curve.json, written into `folder` and into the given run, which `diagnose` reads."""
    from rewardsmith.report.run.sections.learning_curve import markdown

    recipe, runs = planned_runs(plan.given, folder, plan.fractions, plan.seeds)
    refuse_inside(folder, [str(plan.given), *recipe.dataset, *recipe.validation, *recipe.test])
    with claimed(folder, CURVE):
        begin(folder, plan.given, overwrite=overwrite)
        train_all(runs, keep_models=keep_models, progress=progress)
        content = curve_of(runs, plan)
        for place in (folder, plan.given):
            write_json(place / CURVE_FILE, content)
            write_text(place / "learning_curve.md", markdown(content, current()))
    return content


def curve_of(runs: Sequence[PlannedRun], plan: CurvePlan) -> dict[str, Any]:
    """The curve through finished runs as JSON."""
    import numpy as np

    from rewardsmith.evaluate.metrics import correctness
    from rewardsmith.evaluate.statistics import learning_curve
    from rewardsmith.pipelines.compare import column
    from rewardsmith.pipelines.compare_seeds import shared_rows

    refuse_other_data(runs)
    sized = list(by_size(runs))
    rows = shared_rows([run.folder for run in runs])
    right = np.array([correctness(column(side, "margin")) for side in rows])
    weight = column(rows[0], "weight")
    _, cluster = np.unique([str(row["prompt_id"]) for row in rows[0]], return_inverse=True)
    curve = learning_curve(
        [size for _, size in sized], right, weight, cluster=cluster, rng=np.random.default_rng(plan.seed)
    )
    accuracy, fit = np.average(right, axis=1, weights=weight), fit_json(curve)
    return {
        "version": VERSION,
        "run": str(plan.given),
        "n": len(rows[0]),
        "prompts": curve.clusters,
        "seeds": plan.seeds,
        "points": points_json(curve, sized, accuracy.tolist()),
        **fit,
        "gains": [] if fit["refusal"] else gains_json(curve, plan),
        "bound": plan.bound,
    }


def ends(interval: "Interval") -> list[float]:
    """Both ends."""
    return [interval.low, interval.high]


def points_json(
    curve: "LearningCurve", sized: Sequence[tuple[PlannedRun, int]], accuracy: Sequence[float]
) -> list[dict[str, Any]]:
    """Each measured size with its runs."""
    import numpy as np

    intervals = curve.point_intervals()
    return [
        {
            "records": int(size),
            "fraction": next(run.fraction for run, own in sized if own == size),
            "accuracy": float(curve.accuracy[k]),
            "ci": ends(intervals[k]),
            "seed_sd": None if np.isnan(curve.seed_sd[k]) else float(curve.seed_sd[k]),
            "runs": [
                {"folder": str(run.folder), "seed": run.seed, "accuracy": accuracy[number]}
                for number, (run, own) in enumerate(sized)
                if own == size
            ],
        }
        for k, size in enumerate(curve.size.tolist())
    ]


def fit_json(curve: "LearningCurve") -> Mapping[str, Any]:
    """The laws with their weights, why nothing is extrapolated, the backtest, and the curve to draw."""
    import numpy as np

    from rewardsmith.evaluate.inference.learning_curve import FURTHEST

    if (refusal := curve.refusal()) in ("few_sizes", "few_seeds", "narrow"):
        return {"refusal": refusal, "laws": [], "backtest": None, "curve": []}
    laws = [
        {
            "law": name,
            "a": float(fit.a[0]),
            "b": float(fit.b[0]),
            "parameter": float(fit.parameter[0]),
            "weight": curve.weights[name],
        }
        for name, fit in curve.fits.items()
    ]
    backtest = curve.backtest()
    return {
        "refusal": refusal,
        "laws": laws,
        "backtest": backtest
        and {
            "records": backtest.size,
            "predicted": backtest.predicted,
            "measured": backtest.measured,
            "difference_ci": ends(backtest.interval),
        },
        "curve": drawn_json(curve, np.geomspace(curve.size[0], curve.size[-1] * FURTHEST, DRAWN)),
    }


def drawn_json(curve: "LearningCurve", sizes: Any) -> list[dict[str, float]]:
    """The fitted curve with its interval at these sizes."""
    import numpy as np

    low, high = np.quantile(curve.drawn_at(sizes), [0.025, 0.975], axis=0)
    rows = zip(sizes.tolist(), curve.at(sizes).tolist(), low.tolist(), high.tolist(), strict=True)
    return [dict(zip(("records", "accuracy", "low", "high"), row, strict=True)) for row in rows]


def gains_json(curve: "LearningCurve", plan: CurvePlan) -> list[dict[str, Any]]:
    """What more data would give, where something is extrapolated."""
    gains = [curve.gain(round(factor * curve.size[-1]), bound=plan.bound) for factor in sorted(plan.factors)]
    return [
        {
            "records": gain.size,
            "gain": gain.value,
            "ci": ends(gain.interval),
            "accuracy": gain.accuracy,
            "accuracy_ci": ends(gain.accuracy_interval),
            "status": STATUS[gain.status],
        }
        for gain in gains
    ]
