"""`rewardsmith score`: rewards for pairs, rankings or bare responses; each input row comes back with its rewards."""

from rewardsmith.files import claimed
from rewardsmith.pipelines.score.config import Config as Config
from rewardsmith.pipelines.score.pipeline import Result as Result
from rewardsmith.pipelines.score.pipeline import score_source
from rewardsmith.pipelines.score.verified import verified_rows
from rewardsmith.progress import SILENT, Progress
from rewardsmith.verifiable.definition import is_definition


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Score a source as a stream; the output appears whole or not at all, and what a killed run finished is kept."""
    if is_definition(config.model):
        with claimed(config.output):
            return verified_rows(config, progress)
    return score_source(config, progress)
