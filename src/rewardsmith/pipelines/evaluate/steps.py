"""A process reward model on labelled solutions: the values of their steps, and what they come to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.errors import DataError
from rewardsmith.evaluate.process.steps import JudgedSteps, step_figures
from rewardsmith.files import write_json
from rewardsmith.language import say
from rewardsmith.pipelines.evaluate.evaluation import Evaluation, Scored, score_all
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.scoring.left_out import LeftOut

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.runtime.processes import Team


def is_process(model: "RewardModel") -> bool:
    """Whether a model judges the steps of solutions."""
    from rewardsmith.model.heads.process import ProcessHead

    return isinstance(model.head, ProcessHead)


def evaluate_steps(
    model: "RewardModel",
    records: Sequence[Record] | Scored,
    *,
    split: str,
    source: str = "",
    read: LeftOut | None = None,
    progress: Progress = SILENT,
    team: "Team | None" = None,
) -> Evaluation:
    """Score the steps of `records`, unless they come scored, and judge their values; DataError without labelled steps.

    The summary has the figures under `process`, `accuracy` among them as for comparisons; there are no rows.
    """
    scored = records if isinstance(records, Scored) else score_all(model, records, progress, team=team)
    left_out = read or LeftOut()
    left_out.add(scored.left_out)
    judged = judged_steps(scored)
    figures = step_figures(judged)
    if not figures["n"]:
        raise DataError(f"no labelled steps to evaluate: {left_out.in_one_line() or 'the steps have no labels'}")
    told = {name: figures[name] for name in ("n", "accuracy", "accuracy_ci", "auc")}
    about = {"split": split, "source": source, "left_out": left_out.to_json()}
    return Evaluation({**told, **about, "process": known_only(figures)}, ())


def save_in_run(found: Evaluation, run: Path, summary: dict[str, Any]) -> str:
    """Write the evaluation into a run folder and its headline into `train.json`; returns it in words."""
    found.save(run)
    summary["eval"] = found.headline()
    write_json(run / "train.json", summary)
    return "\n".join(step_lines(found.summary))


def judged_steps(scored: Scored) -> JudgedSteps:
    """Values and labels of all steps as arrays; prompts are numbered in order of appearance."""
    sizes = [len(record.responses) for record in scored.records]
    labels = [record.ratings.get("overall") or (None,) * len(record.responses) for record in scored.records]
    prompts: dict[str, int] = {}
    return JudgedSteps(
        value=np.concatenate([np.zeros(0), *scored.rewards]),
        label=np.array([np.nan if one is None else one for each in labels for one in each], dtype=np.float64),
        solution=np.repeat(np.arange(len(sizes)), sizes),
        cluster=np.array([prompts.setdefault(r.prompt_id, len(prompts)) for r in scored.records], dtype=np.int64),
    )


def known_only(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The same with None in place of NaN, which JSON does not have."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return known_only(value)
        if isinstance(value, list):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {name: plain(value) for name, value in figures.items()}


def step_lines(summary: Mapping[str, Any]) -> list[str]:
    """The figures as lines for a terminal."""
    figures = summary["process"]
    first = figures["first_error"]
    lines = [
        f"steps: {figures['n']} labelled, of {figures['solutions']} solutions",
        f"step accuracy {percent(figures['accuracy'], figures['accuracy_ci'])}; the more frequent label alone: "
        f"{percent(figures['more_frequent_label'])}",
        f"AUROC of correct against wrong steps: {number(figures['auc'])}; the place of a step alone: "
        f"{number(figures['auc_of_place'])}",
        f"first wrong step found: {percent(first['erroneous']['accuracy'], first['erroneous']['ci'])} of "
        f"{first['erroneous']['n']} solutions with an error",
        f"no step judged wrong: {percent(first['correct']['accuracy'], first['correct']['ci'])} of "
        f"{first['correct']['n']} correct solutions",
        f"F1 of both: {number(first['f1'])}",
    ]
    return [say(line) for line in lines]


def percent(value: float | None, ends: Sequence[float | None] = ()) -> str:
    """`81.2 % [78.0, 84.4]`, or a dash."""
    if value is None:
        return "–"
    low, high = ends or (None, None)
    return f"{100 * value:.1f} %" + ("" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]")


def number(value: float | None) -> str:
    """Three digits after the point, or a dash."""
    return "–" if value is None else f"{value:.3f}"
