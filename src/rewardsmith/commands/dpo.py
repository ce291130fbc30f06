"""`rewardsmith dpo`: a language model trained on preference pairs, on the loop that trains reward models."""

from rewardsmith.pipelines.dpo.config import Config as Config
from rewardsmith.pipelines.dpo.pipeline import optimise
from rewardsmith.pipelines.dpo.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Train, measure on held-out comparisons, and write the run with its model."""
    return optimise(config, progress)
