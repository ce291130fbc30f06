"""`rewardsmith tune`: the settings of `train` that do best on validation, found by trying, and how far to trust that."""

from rewardsmith.pipelines.tune.config import Config as Config
from rewardsmith.pipelines.tune.pipeline import plan
from rewardsmith.pipelines.tune.pipeline import tune as tune
from rewardsmith.pipelines.tune.rates import RatesResult as RatesResult
from rewardsmith.pipelines.tune.rates import find_rate as find_rate
from rewardsmith.pipelines.tune.result import Result as Result
from rewardsmith.pipelines.tune.result import SearchPlan
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result | SearchPlan | RatesResult:
    """Search the settings and report; with --lr-only the learning rate by a range test, with --dry-run the plan alone."""
    if config.lr_only:
        return find_rate(config, progress)
    return plan(config) if config.dry_run else tune(config, progress)
