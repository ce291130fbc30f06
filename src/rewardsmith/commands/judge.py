"""`rewardsmith judge`: what a language model says of responses, how often that can be read, and how right it is."""

from rewardsmith.pipelines.judge.config import Config as Config
from rewardsmith.pipelines.judge.pipeline import judge_source
from rewardsmith.pipelines.judge.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Judge records; the output appears whole or not at all, and answers are kept for the next run."""
    return judge_source(config, progress)
