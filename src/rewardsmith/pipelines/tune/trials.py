"""The trials of a search as its folder keeps them: `trials.json`, `trials.csv`, the runs, and their validation margins."""

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from rewardsmith.errors import DataError
from rewardsmith.files import write_bytes, write_json
from rewardsmith.files.reading import read_object, taking_from
from rewardsmith.pipelines.tune.space import Parameter, Value, of_json, word_of

if TYPE_CHECKING:
    from rewardsmith.train.held_out import ValidationPass

Metric = Literal["accuracy", "loss"]
COLUMNS = ("number", "state", "accuracy", "loss", "step", "passes", "seconds", "reason")
"""Of trials.csv, before the searched settings."""
WEIGHTS = ("checkpoints", "model")
"""Folders of a run that --keep-trials deletes; settings and metrics stay."""


@dataclass
class Trial:
    """One trial. `values` are the searched settings ({}: the defaults, which lie outside the space).

    `accuracy` and `loss` are those of the best validation pass so far, after `step` steps, `objective` the loss by which it
    was chosen; `passes` counts all passes. `reason` says why it failed, `trace` is a bug's traceback.
    """

    number: int
    values: dict[str, Value]
    state: Literal["running", "complete", "pruned", "failed"] = "running"
    accuracy: float | None = None
    loss: float | None = None
    objective: float | None = None
    step: int | None = None
    passes: int = 0
    seconds: float = 0.0
    reason: str = ""
    trace: str = ""

    def value(self, metric: Metric) -> float | None:
        """The figure that is searched for."""
        return self.accuracy if metric == "accuracy" else self.loss

    def take(self, passed: "ValidationPass") -> bool:
        """Count a validation pass; whether it is the best so far, by the rule of the training loop."""
        self.passes += 1
        objective = passed.figures.get("eval_objective", passed.figures["eval_loss"])
        if self.objective is not None and objective >= self.objective:
            return False
        self.objective, self.step = objective, passed.step
        self.accuracy, self.loss = passed.figures["eval_accuracy"], passed.figures["eval_loss"]
        return True

    def told(self) -> str:
        """The searched settings in one line."""
        return " ".join(f"{key}={word_of(value)}" for key, value in self.values.items()) or "defaults"


@dataclass
class Trials:
    """All trials of a folder by number, in memory and on disk."""

    folder: Path
    space: Sequence[Parameter]
    found: dict[int, Trial] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, space: Sequence[Parameter]) -> "Trials":
        """What an earlier process left; none where it wrote nothing. DataError where the file is damaged."""
        path = folder / "trials.json"
        if not path.is_file():
            return cls(folder, space)
        with taking_from(path):
            rows = read_object(path)["trials"]
            found = [Trial(**{**row, "values": of_json(space, row["values"])}) for row in rows]
        return cls(folder, space, {trial.number: trial for trial in found})

    def place(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.folder / "trials" / f"{number:03d}"

    def of_state(self, state: str) -> list[Trial]:
        """Trials in this state, by number."""
        return [self.found[number] for number in sorted(self.found) if self.found[number].state == state]

    def ranked(self, metric: Metric) -> list[Trial]:
        """Completed trials, the best first; of equal ones the earlier."""
        sign = -1 if metric == "accuracy" else 1
        done = [(trial.value(metric), trial) for trial in self.of_state("complete")]
        return [trial for value, trial in sorted(((v, t) for v, t in done if v is not None), key=lambda p: sign * p[0])]

    def save(self) -> None:
        """Write both files anew."""
        listed = [self.found[number] for number in sorted(self.found)]
        write_json(self.folder / "trials.json", {"trials": [row_of(trial) for trial in listed]})
        write_bytes(self.folder / "trials.csv", as_csv(listed, [parameter.key for parameter in self.space]))

    def keep_margins(self, number: int, passed: "ValidationPass") -> None:
        """Store what the best pass so far gave for each comparison."""
        import numpy as np

        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            step=np.array(passed.step),
            margin=passed.margin,
            preference=passed.preference,
            weight=passed.weight,
            prompt=np.array(passed.prompt_ids),
        )
        write_bytes(self.folder / "margins" / f"{number:03d}.npz", buffer.getvalue())

    def margins(self, trial: Trial) -> Mapping[str, Any] | None:
        """The stored arrays of a trial's best pass; None where they are of another pass, or were never written."""
        import numpy as np

        path = self.folder / "margins" / f"{trial.number:03d}.npz"
        try:
            with np.load(path) as arrays:
                found = {name: arrays[name] for name in arrays.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); delete it to continue without it") from error
        return found if int(found["step"]) == trial.step else None

    def drop_weights(self, kept: Iterable[int]) -> None:
        """Delete checkpoints and models of the finished trials that are not `kept`."""
        kept = set(kept)
        for trial in self.found.values():
            if trial.number not in kept and trial.state != "running":
                for name in WEIGHTS:
                    shutil.rmtree(self.place(trial.number) / name, ignore_errors=True)


def figures_at(run: Path, step: int) -> dict[str, Any] | None:
    """The validation figures of a run after `step` steps, from its metrics.jsonl; None where there are none."""
    try:
        lines = (run / "metrics.jsonl").read_bytes().splitlines()
    except OSError:
        return None
    rows = [orjson.loads(line) for line in lines]
    return next((row for row in rows if row["step"] == step and "eval_loss" in row), None)


def four(value: float | None) -> str:
    """A figure with four digits after the point, or a dash."""
    return "–" if value is None else f"{value:.4f}"


def row_of(trial: Trial) -> dict[str, Any]:
    """A trial as JSON."""
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in trial.values.items()}
    return {**asdict(trial), "values": values}


def as_csv(trials: Sequence[Trial], keys: Sequence[str]) -> bytes:
    """The table with a column for each searched setting."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *keys])
    for trial in trials:
        row = asdict(trial)
        values = ["" if (value := trial.values.get(key)) is None else word_of(value) for key in keys]
        writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS] + values)
    return text.getvalue().encode()
