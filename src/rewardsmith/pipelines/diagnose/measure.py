"""What `diagnose` measures by itself, within a time limit, and keeps in `measurements.json` so that it is measured once."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.diagnose.stored import MEASURED, VERSION, state_of, stored_measurements
from rewardsmith.errors import RewardsmithError
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench
from rewardsmith.pipelines.diagnose.error_tokens import error_tokens
from rewardsmith.pipelines.diagnose.hundred_pairs import hundred_pairs
from rewardsmith.pipelines.diagnose.measurements import MEASUREMENTS, Measurement
from rewardsmith.pipelines.diagnose.stopwatch import Stopwatch
from rewardsmith.progress import SILENT, Progress

CONDITIONAL: dict[str, Measurement] = {"hundred": hundred_pairs}
"""Made only where the others leave open why nothing was learned."""

SHOWN: dict[str, Measurement] = {"error_tokens": error_tokens}
"""Made last, for the report alone: no finding depends on them."""

UNTOLD = 0.7
"""Accuracy on training comparisons under which a run has not learned its own training data."""

OTHER = 0.5
"""Standard deviations by which a reward differs from that of the evaluation, above which another model gave it."""

WHAT: dict[str, str] = {
    "data": "whether the data is still what the run was trained on",
    "origin": "which run the model comes from",
    "contract": "whether the model scores under the contract it was trained with",
    "model": "whether the saved model can be opened",
    "rescored": "whether the saved model gives the rewards of the evaluation",
    "reproduced": "whether the model gives the rewards of this evaluation again",
    "training": "overlap with the training data and figures on it",
    "rows": "damaged and unusual rows of the training data",
    "rule": "how well simple features predict the training labels",
    "labels": "marks, weights and repeats that give the labels away",
    "head": "whether a linear head fitted on the model's features beats its own",
    "wrong_labels": "the share of wrong labels",
    "groups": "whether the labels of one annotator, source or other group are contrary to the others",
    "templates": "whether the model ranks better under another chat template",
    "hundred": "whether the model can learn 100 pairs",
    "error_tokens": "what each token adds to the reward in the worst errors",
}
"""What each measurement tells, for the list of what was not checked."""


def measured(folder: Path, *, seconds: float, progress: Progress = SILENT) -> Mapping[str, Any]:
    """The measurements of a run folder, or of the output of `evaluate`: those that are stored, and the others made now.

    Once `seconds` have been used (see `Stopwatch`) no further one is started; each that was not made is named under
    `not_checked` with the reason. Stored ones count as long as model, evaluation and data are the same files.
    """
    stored = stored_measurements(folder)
    found = dict(stored)
    done = set(map(str, found.pop("done", ())))
    found.pop("not_checked", None)
    evaluation = read_object(folder / "evaluation.json")
    bench = functools.cache(
        lambda: Workbench.of(folder, progress, seconds=seconds)
    )  # looks for runs, so only when needed
    watch = Stopwatch()
    missing: list[dict[str, str]] = []
    for name, measurement in {**MEASUREMENTS, **CONDITIONAL, **SHOWN}.items():
        if name in done or (name in CONDITIONAL and not wanted(evaluation, found)):
            continue
        if watch.seconds > seconds:
            missing.append(told(name, "the time limit was reached", "--time-limit"))
            continue
        try:
            with progress.task(f"measuring: {name}", None, "steps"):
                found |= measurement(bench())
            done.add(name)
        except CannotMeasure as error:
            missing.append(told(name, str(error)))
        except RewardsmithError as error:
            missing.append(told(name, str(error)) | {"failed": "yes"})
    found |= {"done": sorted(done), "not_checked": missing}
    if found != stored:
        write_json(folder / MEASURED, {"version": VERSION, "key": state_of(folder), **found})
    return found


def told(name: str, why: str, bring: str = "") -> dict[str, str]:
    """An entry of `not_checked`."""
    return {"name": name, "what": WHAT[name], "why": why, "bring": bring}


def wanted(evaluation: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether it is open why nothing was learned: the training comparisons themselves are not told apart.

    Of a model that does not give the rewards of its run it is not asked: what it tells apart is not what was trained.
    """
    again = found.get("rescored") or {}
    if (again.get("largest") or 0.0) > OTHER * (again.get("spread") or 1.0):
        return False
    training = evaluation.get("training") or found.get("training") or {}
    accuracy = (training.get("sample") or {}).get("accuracy")
    return accuracy is not None and accuracy < UNTOLD
