"""What a search came to: the best settings, how much of their lead is selection, what they are worth on the test split."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import DataError, TrainingError
from rewardsmith.files import write_text
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.tune.config import Config
from rewardsmith.pipelines.tune.crew import TrialCrew
from rewardsmith.pipelines.tune.messages import Done, FailedTrial, TrialJob
from rewardsmith.pipelines.tune.search import DEFAULTS, trial_config
from rewardsmith.pipelines.tune.trials import Metric, Trial, Trials
from rewardsmith.progress import Progress
from rewardsmith.settings.yaml_file import to_yaml

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rewardsmith.evaluate.statistics import Selection

BEST = "best.yaml"
RESOLVED = ("tokens_per_microbatch", "threads", "dtype")
"""What a run finds out by itself, and what decides rounding: written down, so that the same bits come again."""


def selection_of(trials: Trials, metric: Metric, *, seed: int) -> "Selection | None":
    """The best completed trial against the best of as many equal ones; None for fewer than two with their margins."""
    import numpy as np

    from rewardsmith.evaluate.metrics import decided
    from rewardsmith.evaluate.statistics import best_of_equal

    stored = [found for trial in trials.of_state("complete") if (found := trials.margins(trial)) is not None]
    if len(stored) < 2 or any(len(one["margin"]) != len(stored[0]["margin"]) for one in stored):
        return None
    preference, weight = (stored[0][name].astype(np.float64) for name in ("preference", "weight"))
    rows = weight > 0 if metric == "loss" else (weight > 0) & decided(preference)
    values = np.stack([values_on(one["margin"][rows], preference[rows], metric) for one in stored])
    _, cluster = np.unique(stored[0]["prompt"][rows], return_inverse=True)
    return best_of_equal(values, weight=weight[rows], cluster=cluster, rng=np.random.default_rng(seed))


def values_on(
    margin: "npt.NDArray[np.float64]", preference: "npt.NDArray[np.float64]", metric: Metric
) -> "npt.NDArray[np.float64]":
    """A trial's value on each comparison, higher is better."""
    from rewardsmith.evaluate.metrics import correctness, nll_values

    return correctness(margin) if metric == "accuracy" else -nll_values(margin.astype(float), preference)


def write_best(config: Config, trials: Trials, best: Trial) -> Path:
    """`best.yaml`, which `train --config` takes; the output in it is a new folder beside that of the search."""
    place = trials.place(best.number)
    found = read_object(place / "settings.json")
    fixed = {name: found[name] for name in RESOLVED if name in found}
    output = config.output.with_name(f"{config.output.resolve().name}-best")
    settings = replace(trial_config(config, output, best), report=True, run_name=None, **fixed)
    path = config.output / BEST
    write_text(path, to_yaml(settings))
    return path


def on_test(config: Config, trials: Trials, numbers: Sequence[int], progress: Progress) -> dict[int, dict[str, Any]]:
    """Finish these trials as `train` would have: evaluated once on the test split, with verdict and report.

    The figures of each by its number. A trial that was evaluated before is not evaluated again.
    """
    crew = TrialCrew(1)
    try:
        with progress.task("evaluating on the test split", len(numbers), "trials") as task:
            for number in numbers:
                place = trials.place(number)
                if not (place / "evaluation.json").is_file():
                    settings = replace(trial_config(config, place, trials.found[number]), report=True)
                    finish(crew, number, TrialJob(settings, resume=True, device=0))
                task.advance()
    finally:
        crew.end()
    return {number: read_object(trials.place(number) / "evaluation.json") for number in numbers}


def finish(crew: TrialCrew, number: int, job: TrialJob) -> None:
    """Run one job to its end; its error is raised here."""
    seat = crew.seats[0]
    crew.give(seat, number, job)
    while seat.number is not None:
        for _, message in crew.listen():
            if isinstance(message, FailedTrial):
                raise message.error or TrainingError(f"trial {number} cannot be evaluated: {message.reason}")
            if isinstance(message, Done):
                seat.number = None
            else:
                crew.answer(seat, True)


def compared(trials: Trials, best: Trial, *, seed: int) -> dict[str, Any] | None:
    """The best trial minus the one with the defaults, on the test comparisons that both have; None where they are one."""
    from rewardsmith.pipelines.compare import read_pair

    if best.number == DEFAULTS:
        return None
    pair = read_pair(trials.place(best.number), trials.place(DEFAULTS))
    found = pair.compare(seed=seed)
    return {
        "n": found.n,
        "difference": found.difference,
        "ci": [found.interval.low, found.interval.high],
        "p_value": found.p_value,
        "test": found.test,
        "minimal_detectable": found.minimal_detectable,
    }


def measured_on_test(
    config: Config, trials: Trials, best: Trial, progress: Progress
) -> tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any] | None]:
    """(figures of the best trial, of the defaults, their difference) on the test split; None for what cannot be had."""
    both = [best.number]
    if best.number != DEFAULTS and trials.found[DEFAULTS].state == "complete":
        both.append(DEFAULTS)
    found = on_test(config, trials, both, progress)
    if found[best.number].get("split") != "test":
        progress.note("the data has no test split, so no figure here is free of the selection; give --test")
        return None, None, None
    difference = compared(trials, best, seed=config.seed) if len(both) == 2 else None
    return headline(found[best.number]), headline(found.get(DEFAULTS)), difference


def headline(evaluation: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The figures of an evaluation that the search repeats."""
    if evaluation is None:
        return None
    return {name: evaluation.get(name) for name in ("n", "accuracy", "accuracy_ci", "nll", "ece")}


def best_of(trials: Trials, metric: Metric) -> Trial:
    """The best completed trial; TrainingError where there is none, DataError where its run is gone."""
    ranked = trials.ranked(metric)
    if not ranked:
        reasons = [trial.reason for trial in trials.of_state("failed")]
        if reasons:
            raise TrainingError(f"no trial was completed; {len(reasons)} failed, the last one with: {reasons[-1]}")
        raise TrainingError("no trial was completed; give more --trials or --minutes")
    if not (trials.place(ranked[0].number) / "settings.json").is_file():
        raise DataError(f"{trials.place(ranked[0].number)} is missing; start the search again with --overwrite")
    return ranked[0]


def selection_json(found: "Selection | None") -> dict[str, Any] | None:
    """The null comparison as JSON."""
    return None if found is None else asdict(found)
