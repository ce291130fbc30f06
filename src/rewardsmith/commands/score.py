"""`rewardsmith score`: rewards for pairs, rankings or bare responses; each input row comes back with its rewards."""

from rewardsmith.pipelines.score.config import Config as Config
from rewardsmith.pipelines.score.pipeline import Result as Result
from rewardsmith.pipelines.score.sources import scored_by_any
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Score a source as a stream; the output appears whole or not at all, and what a killed run finished is kept."""
    return scored_by_any(config, progress)
