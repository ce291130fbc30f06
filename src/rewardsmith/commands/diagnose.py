"""Judge a finished run: verdict, findings, and a report to read."""

from dataclasses import dataclass
from pathlib import Path

from rewardsmith.pipelines.diagnose import Diagnosis, diagnose
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True)
class Config:
    """Settings of `rewardsmith diagnose`."""

    run: Path
    """Output folder of train or evaluate, or a JSON file with metrics such as train_loss, val_loss, val_acc, n."""
    output: Path | None = None
    """Output folder for report.html, report.md and report.json; default: the run folder, or the folder of the JSON file."""
    overwrite: bool = False
    """Replace an existing report."""


Result = Diagnosis


def run(config: Config, progress: Progress = SILENT) -> Diagnosis:
    """Read the run, judge it and write the report; DataError where there is nothing to judge."""
    return diagnose(config.run, output=config.output, overwrite=config.overwrite, progress=progress)
