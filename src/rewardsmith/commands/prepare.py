"""`rewardsmith prepare`: any format in, clean train, validation and test splits out, every dropped row named."""

from rewardsmith.pipelines.dry_run.prepare import PreparePlan, plan_preparation
from rewardsmith.pipelines.prepare.config import Config as Config
from rewardsmith.pipelines.prepare.pipeline import prepare as prepare
from rewardsmith.pipelines.prepare.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result | PreparePlan:
    """Read, check, split and write; the output appears whole or not at all. With --dry-run, the plan alone."""
    return plan_preparation(config) if config.dry_run else prepare(config, progress)
