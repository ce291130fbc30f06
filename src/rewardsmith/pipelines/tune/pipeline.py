"""Data, a model and a space in; trials, the best settings and a report out: the steps of a search, in order."""

import random
from collections.abc import Sequence
from typing import Any

from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import OutputError, UsageError
from rewardsmith.files import check_output, claimed, prepare_output, refuse_inside, write_json
from rewardsmith.files.kinds import TUNING
from rewardsmith.files.reading import read_object
from rewardsmith.language import current
from rewardsmith.pipelines.tune.config import Config
from rewardsmith.pipelines.tune.outcome import best_of, measured_on_test, selection_json, selection_of, write_best
from rewardsmith.pipelines.tune.result import Result, SearchPlan
from rewardsmith.pipelines.tune.search import TrialSearch, default_values, limit_of, with_values
from rewardsmith.pipelines.tune.space import Parameter, Value, grid
from rewardsmith.pipelines.tune.study import Study, require_optuna
from rewardsmith.pipelines.tune.trials import Trials, row_of
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.fields import values_of
from rewardsmith.version import VERSION

MAY_CHANGE = frozenset({"output", "resume", "overwrite", "dry_run", "report", "threads", "device", "keep"})
"""Settings of `train` with which a search may be continued that did not begin with them."""


def tune(config: Config, progress: Progress = SILENT) -> Result:
    """Search, choose on validation, look at the test split once; returns what `tune.json` holds."""
    from rewardsmith.report.tuning.writing import write_report

    space = checked(config)
    require_optuna()
    with claimed(config.output, TUNING):
        settings = begin(config, space)
        trials = Trials.read(config.output, space)
        study = study_of(config, space)
        TrialSearch(config, space, study, trials).run(progress)
        metric = config.chosen_metric()
        best = best_of(trials, metric)
        path = write_best(config, trials, best)
        test, defaults, difference = measured_on_test(config, trials, best, progress) if config.report else (None,) * 3
        selection = selection_of(trials, metric, seed=config.seed)
        summary = {
            **settings,
            "trials": {state: len(trials.of_state(state)) for state in ("complete", "pruned", "failed")},
            "best": row_of(best),
            "selection": selection_json(selection),
            "test": test,
            "defaults": defaults,
            "difference": difference,
            "importance": study.importance(),
            "best_yaml": str(path),
            "report": str(config.output / "report.html"),
            "finished": True,
        }
        rows = [row_of(trial) for trial in trials.found.values()]
        write_report(summary, rows, config.output, lang=current())
        write_json(config.output / "tune.json", summary)
    return Result(summary, [row_of(trial) for trial in trials.ranked(metric)])


def plan(config: Config) -> SearchPlan:
    """What would be searched; nothing is read or written."""
    space = checked(config)
    limit, first = limit_of(config, space), default_values(config, space)
    return SearchPlan([one.told() for one in space], limit, config.sampler, config.chosen_metric(), first)


def checked(config: Config) -> tuple[Parameter, ...]:
    """The space, every single value of it tried on the settings; UsageError for one that `train` would refuse."""
    from rewardsmith.train.losses import choose

    space = config.searched()
    for parameter in space:
        for value in parameter.choices or (parameter.typed(parameter.low), parameter.typed(parameter.high)):
            with_values(config, {parameter.key: value})
            if parameter.key == "loss":
                choose(value, None)
    if config.sampler == "grid":
        grid(space)
    return space


def begin(config: Config, space: Sequence[Parameter]) -> dict[str, Any]:
    """Make the folder, or make sure that the one to continue began with the same settings; returns what it began with."""
    settings = settings_json(config, space)
    path = config.output / "tune.json"
    if config.resume:
        before = read_object(path)
        if not before:
            raise OutputError(f"{config.output} contains no search to resume; start without --resume")
        refuse_changes(before, settings)
        return settings
    refuse_inside(config.output, [config.model, *input_files([*config.dataset, *config.validation, *config.test])])
    check_output(config.output, TUNING, overwrite=config.overwrite)
    prepare_output(config.output, TUNING, overwrite=config.overwrite)
    write_json(path, {**settings, "finished": False})
    study_of(config, space).enqueue(first_combinations(config, space))
    return settings


def settings_json(config: Config, space: Sequence[Parameter]) -> dict[str, Any]:
    """What a search begins with, as `tune.json` keeps it."""
    values = values_of(config.training())
    return {
        "rewardsmith": VERSION,
        "settings": {key: as_text(value) for key, value in values.items() if key not in MAY_CHANGE},
        "space": {key: value for parameter in space for key, value in parameter.to_json().items()},
        "metric": config.chosen_metric(),
        "sampler": config.sampler,
        "pruner": config.pruner,
    }


def first_combinations(config: Config, space: Sequence[Parameter]) -> list[dict[str, Value]]:
    """The defaults, where the space holds them; then, of a grid, every other combination in an order drawn by the seed."""
    defaults = default_values(config, space)
    begin = [] if defaults is None else [defaults]
    if config.sampler != "grid":
        return begin
    combinations = [one for one in grid(space) if one != defaults]
    random.Random(config.seed).shuffle(combinations)
    return begin + combinations


def as_text(value: Any) -> Any:
    """A setting as JSON keeps it: lists and numbers as they are, names of data in memory and paths as text."""
    return (
        [as_text(one) for one in value]
        if isinstance(value, tuple | list)
        else (value if value is None or isinstance(value, bool | int | float) else str(value))
    )


def refuse_changes(before: dict[str, Any], now: dict[str, Any]) -> None:
    """UsageError that lists what differs from the search that is to be continued."""
    changed = [
        f"{key}: {before['settings'].get(key)!r} → {value!r}"
        for key, value in now["settings"].items()
        if before.get("settings", {}).get(key) != value
    ]
    changed += [
        f"{key}: {before.get(key)!r} → {now[key]!r}"
        for key in ("space", "metric", "sampler", "pruner")
        if before.get(key) != now[key]
    ]
    if changed:
        raise UsageError(f"this search cannot be resumed because its settings changed: {'; '.join(changed)}")


def study_of(config: Config, space: Sequence[Parameter]) -> Study:
    """The study in the folder of the search."""
    return Study(
        config.output,
        space,
        sampler=config.sampler,
        pruner=config.pruner,
        seed=config.seed,
        maximize=config.chosen_metric() == "accuracy",
        passes=config.epochs * config.evals,
    )
