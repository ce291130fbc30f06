"""Judge a finished run, or a model on data: verdict, findings, and a report to read."""

from dataclasses import dataclass
from pathlib import Path

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.diagnose.pipeline import Diagnosis, diagnose
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True)
class Config:
    """Settings of `rewardsmith diagnose`."""

    run: Path
    """Output folder of train or evaluate, a JSON file with metrics such as train_loss, val_loss, val_acc, n, or, with
    --data, a model."""
    data: tuple[str, ...] = ()
    """Preference data to evaluate the model on first; the evaluation is written to --output."""
    output: Path | None = None
    """Output folder for report.html, report.md and report.json (default: the run folder, or that of the JSON file)."""
    measure: bool = True
    """Measure causes if the model and its data can be opened: overlap of test and training data, rewards of the saved model,
    a fitted linear head, wrong labels, whether 100 pairs can be learned. Results are kept in measurements.json."""
    time_limit: float = 120.0
    """Seconds after which no further measurement is started."""
    overwrite: bool = False
    """Replace an existing report."""

    def __post_init__(self) -> None:
        if self.data and self.output is None:
            raise UsageError("--data needs --output: a folder for the evaluation and the report")
        if self.time_limit < 0:
            raise UsageError(f"--time-limit {self.time_limit:g}: expected seconds >= 0")


Result = Diagnosis


def run(config: Config, progress: Progress = SILENT) -> Diagnosis:
    """Read the run, judge it and write the report; DataError where there is nothing to judge."""
    place = config.run
    if config.data and config.output is not None:
        from rewardsmith.commands import evaluate

        asked = evaluate.Config(model=str(place), sources=config.data, output=config.output, overwrite=config.overwrite)
        evaluate.run(asked, progress)
        place = config.output
    limit = config.time_limit if config.measure else None
    output = None if config.data else config.output
    return diagnose(place, output=output, overwrite=config.overwrite, seconds=limit, progress=progress)
