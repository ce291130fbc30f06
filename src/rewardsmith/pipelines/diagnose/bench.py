"""What can be measured on: the saved model, its data, the comparisons that were evaluated, each opened when asked for."""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import (
    Intake,
    SplitRule,
    follow_attribute,
    is_prepared,
    load_splits,
    read_records,
)
from rewardsmith.errors import DataError, RewardsmithError
from rewardsmith.files.reading import read_lines, read_object
from rewardsmith.pipelines.diagnose.origins import How, RunBehind, run_behind
from rewardsmith.pipelines.run_data import RunData, data_run_of, read_run_data, run_of
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.evaluate.evaluation import Scored


class CannotMeasure(RewardsmithError):
    """Something that a measurement needs is not there; the message says what."""


@dataclass(frozen=True)
class Workbench:
    """A folder with an evaluation, and what belongs to it; every part is opened at most once.

    `folder` is what is judged (a run, or the output of `evaluate`), `run` the run of the model, where it is known, and `how`
    by what it is known. A run whose model only looks alike is `twin`, and not taken for the model's own. `seconds` is what
    one measurement may take where that can be told beforehand.
    """

    folder: Path
    run: Path | None
    progress: Progress = SILENT
    how: How = "inside"
    twin: Path | None = None
    seconds: float = math.inf

    @classmethod
    def of(cls, folder: Path, progress: Progress = SILENT, *, seconds: float = math.inf) -> "Workbench":
        """The bench of a folder; an ensemble that was trained member by member is a run, on the data of its members."""
        run = folder if is_ensemble(folder) else run_of(folder)
        if run is not None:
            return cls(folder, run, progress, seconds=seconds)
        named = str(read_object(folder / "evaluation.json").get("model") or "")
        behind = run_behind(folder, place_of(named, folder)) if named else RunBehind(None, "unknown")
        alike = behind.how == "alike"
        run, twin = (None, behind.run) if alike else (behind.run, None)
        return cls(folder, run, progress, behind.how, twin, seconds)

    @functools.cached_property
    def own(self) -> "Workbench":
        """The bench of the run's own evaluation, where there is a run or one whose model looks alike; else this one."""
        run = self.run or self.twin
        return self if run is None or run == self.folder else Workbench(run, run)

    @functools.cached_property
    def evaluation(self) -> Mapping[str, Any]:
        """`evaluation.json`; empty where there is none."""
        return read_object(self.folder / "evaluation.json")

    @functools.cached_property
    def rows(self) -> list[Mapping[str, Any]]:
        """The rows of `comparisons.jsonl`, without the texts."""
        path = self.folder / "comparisons.jsonl"
        if not path.is_file():
            raise CannotMeasure(f"{path} does not exist")
        kept = ("id", "prompt_id", "i", "j", "reward_i", "reward_j", "margin", "preference", "weight")
        return [{name: row.get(name) for name in kept} for _, row in read_lines(path)]

    @functools.cached_property
    def rewards(self) -> Mapping[tuple[str, int], float]:
        """The rewards of the evaluation by record and number of the response."""
        known: dict[tuple[str, int], float] = {}
        for row in self.rows:
            for side in ("i", "j"):
                if None not in (row["id"], row[side], row[f"reward_{side}"]):
                    known[str(row["id"]), int(row[side])] = float(row[f"reward_{side}"])
        return known

    @functools.cached_property
    def data(self) -> RunData:
        """The data of the run; CannotMeasure where there is no run, or its data cannot be read any more."""
        if self.run is None:
            raise CannotMeasure("the model does not lie in a run folder, so its training data is unknown")
        try:
            return read_run_data(data_run_of(self.run) or self.run)
        except RewardsmithError as error:
            raise CannotMeasure(f"the data of the run cannot be read again: {error}") from error

    @functools.cached_property
    def judged(self) -> Sequence[Record]:
        """The records that were evaluated, read again."""
        split = self.evaluation.get("split")
        if self.folder == self.run and split in ("train", "validation", "test"):
            return list(getattr(self.data.splits, str(split)))
        sources = [str(name) for name in self.evaluation.get("sources") or ()]
        if not sources:
            raise CannotMeasure("evaluation.json does not name the data that was evaluated")
        try:
            return evaluated_records(self.evaluation, sources)
        except RewardsmithError as error:
            raise CannotMeasure(f"the evaluated data cannot be read again: {error}") from error

    @functools.cached_property
    def model_place(self) -> Path:
        """The folder of the saved model."""
        named = place_of(str(self.evaluation.get("model") or self.run or ""), self.folder)
        place = next((folder for folder in (named / "model", named) if (folder / "config.json").is_file()), None)
        if place is None:
            raise CannotMeasure(
                f"{named} contains no model" if named.name else "the model that was evaluated is unknown"
            )
        return place

    @functools.cached_property
    def model(self) -> "RewardModel":
        """The saved model; ModelError or ContractError where it cannot be opened."""
        from rewardsmith.model.reward_model import RewardModel

        return RewardModel.load(self.model_place)

    @functools.cached_property
    def prepared(self) -> bool:
        """Whether `prepare` has looked at the training data before."""
        return self.run is not None and (self.run / "data" / "quality.json").is_file()


def is_ensemble(folder: Path) -> bool:
    """Whether a folder is the run of an ensemble whose members were trained each on its own."""
    return (folder / "members.json").is_file() and data_run_of(folder) is not None


def place_of(named: str, folder: Path) -> Path:
    """Where a model is that an evaluation in `folder` names, from the current folder, else from beside the evaluation."""
    beside = folder.resolve().parent / named
    return beside if named and not Path(named).exists() and beside.exists() else Path(named)


def scored_at_all(model: "RewardModel", records: Sequence[Record]) -> "Scored":
    """The records scored by the model; CannotMeasure where it refuses every one."""
    from rewardsmith.pipelines.evaluate.evaluation import score_all

    scored = score_all(model, records)
    if not scored.records:
        raise CannotMeasure("the model scores none of the records")
    return scored


def evaluated_records(evaluation: Mapping[str, Any], sources: Sequence[str]) -> Sequence[Record]:
    """The records that `evaluate` scored, from the names in evaluation.json."""
    intake, split = Intake(map=tuple(map(str, evaluation.get("map") or ()))), evaluation.get("split")
    if split in ("train", "validation", "test"):
        whole = load_splits(sources, validation=(), test=(), rule=SplitRule(), intake=intake)
        records: Sequence[Record] = getattr(whole, str(split))
    elif len(sources) == 1 and is_prepared(Path(sources[0])):
        raise DataError(f"the split of {sources[0]} that was evaluated is unknown")
    else:
        records = read_records(sources, intake).records
    return follow_attribute(records, str(evaluation.get("attribute") or "overall"))
