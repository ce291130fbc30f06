"""The runs of a learning curve: which there are, and each of them trained, or found finished from an earlier start."""

import gc
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from rewardsmith.errors import DataError, OutputError
from rewardsmith.files import check_output, prepare_output, write_json
from rewardsmith.files.kinds import CURVE
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.run_data import reachable, settings_of_run
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.pipelines.train.pipeline import train
from rewardsmith.progress import Progress, Task
from rewardsmith.settings.in_memory import names_memory

PLAN = "plan.json"
HEAVY = ("checkpoints", "model")
"""Folders of a finished run that the curve does not need."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: a share of the records that the given run was trained on, a seed, and where it is.

    `config` is None for the run that the curve is made of, which is there already.
    """

    fraction: float
    seed: int
    folder: Path
    config: TrainConfig | None

    @property
    def name(self) -> str:
        """What a person reads."""
        return f"{100 * self.fraction:g} % of the training records, seed {self.seed}"


def planned_runs(
    given: Path, folder: Path, fractions: Sequence[float], seeds: int
) -> tuple[TrainConfig, list[PlannedRun]]:
    """(the recipe, its runs: small shares first). DataError where the given run cannot be repeated.

    All of them are split as the given run was, so that they are judged on the same test prompts.
    """
    recipe = recipe_of(given)
    planned = []
    for fraction in sorted(fractions):
        for seed in range(recipe.seed, recipe.seed + seeds):
            if fraction == 1 and seed == recipe.seed:
                planned.append(PlannedRun(fraction, seed, given, None))
                continue
            place = folder / f"frac-{fraction:g}-seed-{seed}"
            config = replace(recipe, frac=recipe.frac * fraction, seed=seed, output=place)
            planned.append(PlannedRun(fraction, seed, place, config))
    return recipe, planned


def recipe_of(given: Path) -> TrainConfig:
    """The settings of a finished run under which it can be trained again; DataError where there are none."""
    if not read_object(given / "train.json").get("finished"):
        raise DataError(f"{given} contains no finished run; pass the output folder of rewardsmith train")
    if not (given / "comparisons.jsonl").is_file():
        raise DataError(f"{given} was not evaluated; train it with a test split and without --no-report")
    config = settings_of_run(given)
    sources = (config.dataset, config.validation, config.test)
    if not config.dataset or any(names_memory(name) for name in chain(*sources)):
        raise DataError(f"{given} was trained on data in memory, which cannot be read again; train from files")
    dataset, validation, test = (sources_now(names, given) for names in sources)
    return replace(
        config,
        model=reachable(config.model, [], given),
        dataset=dataset,
        validation=validation,
        test=test,
        split_seed=config.seed if config.split_seed is None else config.split_seed,
        report=True,
        overwrite=False,
        dry_run=False,
        track=(),
        track_project=None,
        run_name=None,
        track_uri=None,
        push_to_hub=None,
        push_public=False,
    )


def sources_now(names: Sequence[str], given: Path) -> tuple[str, ...]:
    """The sources of a run under the names by which they can be read now."""
    data = read_object(given / "data" / "data.json")
    found = [str(entry["file"]) for entry in data.get("files") or ()]
    return tuple(reachable(name, found, given) for name in names)


def begin(folder: Path, given: Path, *, overwrite: bool) -> None:
    """Make the folder of the curve, or go on in the one of an earlier start; OutputError where it is of another run."""
    plan = {"learning_curve_of": str(given.resolve()), "settings": read_object(given / "settings.json")}
    if not overwrite and CURVE.recognises(folder):
        if read_object(folder / PLAN) != plan:
            raise OutputError(
                f"{folder} contains the learning curve of another run; choose another output or pass --overwrite"
            )
        return
    check_output(folder, CURVE, overwrite=overwrite)
    prepare_output(folder, CURVE, overwrite=overwrite)
    write_json(folder / PLAN, plan)


def train_all(runs: Sequence[PlannedRun], *, keep_models: bool, progress: Progress) -> None:
    """Train what is not finished yet, one run after the other; a run that was killed goes on from its last checkpoint."""
    missing = [run for run in runs if not is_finished(run)]
    if len(missing) < len(runs):
        progress.note(f"{len(runs) - len(missing)} of {len(runs)} runs are finished already")
    for number, run in enumerate(missing, start=1):
        progress.note(f"run {number} of {len(missing)}: {run.name}")
        if run.config is None:
            continue
        begun = (run.folder / "settings.json").is_file()
        train(replace(run.config, resume=begun), BarsOnly(progress))
        if not keep_models:
            for name in HEAVY:
                shutil.rmtree(run.folder / name)
        gc.collect()


def is_finished(run: PlannedRun) -> bool:
    """Whether a run lies there whole; OutputError where it has other settings than the curve's run."""
    if run.config is None:
        return True
    if not (run.folder / "config.yaml").is_file():
        return False
    if replace(settings_of_run(run.folder), output=run.folder) != run.config:
        raise OutputError(
            f"{run.folder} has other settings than the run of this curve; pass --overwrite to start again"
        )
    return bool(read_object(run.folder / "train.json").get("finished"))


@dataclass(frozen=True)
class BarsOnly:
    """Progress without notes: each run would say again what the first one said."""

    inner: Progress

    def note(self, text: str) -> None:
        """Say nothing."""

    def task(self, label: str, total: float | None, unit: str) -> AbstractContextManager[Task]:
        """The bar of the inner progress."""
        return self.inner.task(label, total, unit)


def records_of(run: PlannedRun) -> int:
    """How many records a run was trained on, from its train.json."""
    count = read_object(run.folder / "train.json").get("records")
    if not isinstance(count, int) or count < 1:
        raise DataError(f"{run.folder / 'train.json'} has {count!r} as records; expected a number above 0")
    return count


def refuse_other_data(runs: Sequence[PlannedRun]) -> None:
    """DataError where two runs were trained or tested on other data: a file changed in between."""
    first = data_of(runs[-1])
    for run in runs:
        for name, digest in data_of(run).items():
            if digest != first[name]:
                raise DataError(
                    f"{run.folder} and {runs[-1].folder} have different {name} data; it was changed between the runs: "
                    "restore it, or train the run again and pass --overwrite"
                )


def data_of(run: PlannedRun) -> dict[str, Any]:
    """The hashes of a run's splits."""
    hashes = read_object(run.folder / "data" / "data.json").get("hashes")
    return hashes if isinstance(hashes, dict) else {}


def by_size(runs: Sequence[PlannedRun]) -> Iterator[tuple[PlannedRun, int]]:
    """The runs with their records; DataError where two shares give the same number."""
    known: dict[int, float] = {}
    for run in runs:
        size = records_of(run)
        if known.setdefault(size, run.fraction) != run.fraction:
            raise DataError(
                f"--fractions {known[size]:g} and {run.fraction:g} both give {size} records; leave one of them out"
            )
        yield run, size
