"""`rewardsmith prepare`: any format in, clean train, validation and test splits out, every dropped row named."""

from rewardsmith.pipelines.prepare.config import Config as Config
from rewardsmith.pipelines.prepare.pipeline import prepare
from rewardsmith.pipelines.prepare.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Read, check, split and write; the output appears whole or not at all."""
    return prepare(config, progress)
