"""`rewardsmith evaluate`: how good a reward model is on some data, with intervals and beside the null baselines."""

from rewardsmith.pipelines.evaluate.config import Config as Config
from rewardsmith.pipelines.evaluate.pipeline import evaluate
from rewardsmith.pipelines.evaluate.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Evaluate one model on the given data."""
    return evaluate(config, progress)
